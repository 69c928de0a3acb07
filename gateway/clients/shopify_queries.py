"""The GraphQL documents sent to Shopify, by operation name.

Each stays below 1,000 points (the hard cap of one query): page sizes are bounded by `first` x (1 + children). A new field must exist in every supported
version; the tests validate these against the simulator's schema, and against Shopify's own where it is at hand.
"""

from __future__ import annotations

_BAG = "shopMoney { amount currencyCode } presentmentMoney { amount currencyCode }"
_PAGE = "pageInfo { hasNextPage endCursor }"

_REFUND_LINE = f"""
      id quantity restockType restocked
      location {{ id name }}
      priceSet {{ {_BAG} }}
      subtotalSet {{ {_BAG} }}
      totalTaxSet {{ {_BAG} }}
      lineItem {{ id sku name quantity isGiftCard requiresShipping }}
"""

DOCUMENTS: dict[str, str] = {
    "AppSelfCheck": """
query AppSelfCheck {
  shop { id name myshopifyDomain currencyCode ianaTimezone taxesIncluded }
  currentAppInstallation { accessScopes { handle } }
}""",
    "OrdersTouched": f"""
query OrdersTouched($query: String!, $first: Int!, $after: String) {{
  orders(first: $first, after: $after, query: $query, sortKey: UPDATED_AT) {{
    nodes {{ id name updatedAt test tags refunds(first: 15) {{ id createdAt updatedAt }} }}
    {_PAGE}
  }}
}}""",
    "OrderRefundIds": """
query OrderRefundIds($id: ID!) {
  order(id: $id) { id refunds(first: 250) { id createdAt updatedAt } }
}""",
    "RefundDetail": f"""
query RefundDetail($id: ID!) {{
  refund(id: $id) {{
    id createdAt processedAt updatedAt note
    totalRefundedSet {{ {_BAG} }}
    order {{ id name test currencyCode presentmentCurrencyCode taxesIncluded tags }}
    return {{ id name status }}
    refundLineItems(first: 30) {{ nodes {{ {_REFUND_LINE} }} {_PAGE} }}
    refundShippingLines(first: 5) {{ nodes {{ id subtotalAmountSet {{ {_BAG} }} taxAmountSet {{ {_BAG} }} }} {_PAGE} }}
    orderAdjustments(first: 10) {{ nodes {{ id reason amountSet {{ {_BAG} }} taxAmountSet {{ {_BAG} }} }} {_PAGE} }}
    duties {{ amountSet {{ {_BAG} }} }}
    transactions(first: 10) {{ nodes {{ id kind status gateway test amountSet {{ {_BAG} }} amountRoundingSet {{ {_BAG} }} }} {_PAGE} }}
  }}
}}""",
    "RefundLinesPage": f"""
query RefundLinesPage($id: ID!, $after: String!) {{
  refund(id: $id) {{ id refundLineItems(first: 30, after: $after) {{ nodes {{ {_REFUND_LINE} }} {_PAGE} }} }}
}}""",
    "ReturnGoods": f"""
query ReturnGoods($id: ID!) {{
  return(id: $id) {{
    id
    reverseFulfillmentOrders(first: 3) {{
      nodes {{
        id
        lineItems(first: 20) {{
          nodes {{
            id totalQuantity
            fulfillmentLineItem {{ id lineItem {{ id }} }}
            dispositions {{ id type quantity location {{ id }} }}
          }}
          {_PAGE}
        }}
      }}
      {_PAGE}
    }}
  }}
}}""",
    "OrderHead": f"""
query OrderHead($id: ID!) {{
  order(id: $id) {{
    id name createdAt updatedAt cancelledAt test tags discountCodes currencyCode presentmentCurrencyCode taxesIncluded
    totalPriceSet {{ {_BAG} }}
    totalReceivedSet {{ {_BAG} }}
    shippingLines(first: 5) {{
      nodes {{ id isRemoved discountedPriceSet {{ {_BAG} }} taxLines {{ priceSet {{ {_BAG} }} }} }}
      {_PAGE}
    }}
  }}
}}""",
    "OrderForImport": f"""
query OrderForImport($id: ID!, $after: String) {{
  order(id: $id) {{
    id
    lineItems(first: 25, after: $after) {{
      nodes {{
        id sku name quantity requiresShipping isGiftCard
        originalTotalSet {{ {_BAG} }}
        discountAllocations {{
          allocatedAmountSet {{ {_BAG} }}
          discountApplication {{ __typename ... on DiscountCodeApplication {{ code }} }}
        }}
        taxLines {{ priceSet {{ {_BAG} }} }}
      }}
      {_PAGE}
    }}
  }}
}}""",
    "OrderShipped": f"""
query OrderShipped($id: ID!) {{
  order(id: $id) {{
    id
    fulfillmentsCount {{ count precision }}
    fulfillments(first: 15) {{
      id status
      fulfillmentLineItems(first: 25) {{ nodes {{ id quantity lineItem {{ id }} }} {_PAGE} }}
    }}
  }}
}}""",
    "OrderFulfillments": """
query OrderFulfillments($id: ID!) {
  order(id: $id) { id fulfillments(first: 250) { id status } }
}""",
    "FulfillmentLinesPage": f"""
query FulfillmentLinesPage($id: ID!, $after: String) {{
  fulfillment(id: $id) {{
    id
    fulfillmentLineItems(first: 100, after: $after) {{ nodes {{ id quantity lineItem {{ id }} }} {_PAGE} }}
  }}
}}""",
    "ItemsBySku": f"""
query ItemsBySku($query: String!, $locationId: ID!, $after: String) {{
  inventoryItems(first: 50, after: $after, query: $query) {{
    nodes {{
      id sku tracked duplicateSkuCount
      inventoryLevel(locationId: $locationId, includeInactive: true) {{ id isActive quantities(names: ["available"]) {{ name quantity }} }}
    }}
    {_PAGE}
  }}
}}""",
    "SetQuantities": """
mutation SetQuantities($input: InventorySetQuantitiesInput!, $key: String!) {
  inventorySetQuantities(input: $input) @idempotent(key: $key) {
    inventoryAdjustmentGroup { id createdAt reason changes { name delta quantityAfterChange } }
    userErrors { code field message }
  }
}""",
}
