"""Loop, Shopify and a partner on one machine, with faults and a movable clock."""
