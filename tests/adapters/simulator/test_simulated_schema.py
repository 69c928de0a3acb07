"""The simulated shop's schema is a true part of Shopify's own."""

from pathlib import Path

import pytest
from graphql import GraphQLEnumType, GraphQLInputObjectType, GraphQLSchema, build_schema
from graphql.type import is_specified_scalar_type

from gateway.simulator.shopify_graphql import read_schema

REAL = Path(__file__).parents[4] / "shared" / "reference" / "shopify-admin-schema.graphql"


@pytest.fixture(scope="module")
def real() -> GraphQLSchema:
    if not REAL.exists():
        pytest.skip(f"Shopify's published schema is not beside this repository ({REAL.name})")
    return build_schema(REAL.read_text("utf-8"), assume_valid=True)


def arguments(field: object) -> dict[str, str]:
    return {name: str(one.type) for name, one in field.args.items()}


def test_every_type_field_and_argument_is_shopifys(real: GraphQLSchema):
    wrong = []
    for name, ours in read_schema().type_map.items():
        theirs = real.type_map.get(name)
        if name.startswith("__") or is_specified_scalar_type(ours):
            continue
        if theirs is None or type(theirs) is not type(ours):
            wrong.append(name)
            continue
        if isinstance(ours, GraphQLEnumType):
            wrong += [f"{name}.{value}" for value in ours.values if value not in theirs.values]
        for field, definition in getattr(ours, "fields", {}).items():
            same = theirs.fields.get(field)
            if same is None or str(same.type) != str(definition.type):
                wrong.append(f"{name}.{field}")
            elif not isinstance(ours, GraphQLInputObjectType):
                known = arguments(same)
                wrong += [f"{name}.{field}({arg})" for arg, kind in arguments(definition).items() if known.get(arg) != kind]
    assert wrong == []


def test_inputs_leave_nothing_out_that_shopify_needs(real: GraphQLSchema):
    ours = {name: one for name, one in read_schema().type_map.items() if isinstance(one, GraphQLInputObjectType)}
    missing = {name: set(real.type_map[name].fields) - set(one.fields) for name, one in ours.items()}
    assert not any(missing.values()), missing


def test_the_idempotent_directive_is_shopifys(real: GraphQLSchema):
    ours, theirs = (schema.get_directive("idempotent") for schema in (read_schema(), real))
    assert {name: str(arg.type) for name, arg in ours.args.items()} == {name: str(arg.type) for name, arg in theirs.args.items()}
