from graphql_api.store.schema import INDEX_PARTITIONS, Index, control_definition, table_definition

LISTS = {
    "by_position": ("project_pk", "position_sk"),
    "by_status": ("project_pk", "status_sk"),
    "project_agenda": ("project_pk", "agenda_sk"),
    "assignee_agenda": ("assignee_pk", "agenda_sk"),
    "listing": ("listing_pk", "agenda_sk"),
    **{f"slot_{number}": (f"slot_{number}_pk", "agenda_sk") for number in range(1, 6)},
}


INVENTORY = {
    "IndexName": "inventory",
    "KeySchema": [
        {"AttributeName": "inventory_pk", "KeyType": "HASH"},
        {"AttributeName": "inventory_sk", "KeyType": "RANGE"},
    ],
    "Projection": {"ProjectionType": "KEYS_ONLY"},
}


def test_there_are_ten_indexes_of_whole_items():
    *indexes, last = table_definition("data")["GlobalSecondaryIndexes"]
    assert last == INVENTORY
    keys = {
        index["IndexName"]: tuple(attribute["AttributeName"] for attribute in index["KeySchema"])
        for index in indexes
    }
    assert keys == LISTS
    assert {index["Projection"]["ProjectionType"] for index in indexes} == {"ALL"}
    assert [[key["KeyType"] for key in index["KeySchema"]] for index in indexes] == [["HASH", "RANGE"]] * 10


def test_the_names_in_code_are_the_names_in_the_table():
    assert {index.index_name: tuple(index.value) for index in Index} == LISTS
    assert set(INDEX_PARTITIONS) == {partition for partition, _ in LISTS.values()}


def test_exactly_the_key_attributes_are_defined():
    definition = table_definition("data")
    defined = [attribute["AttributeName"] for attribute in definition["AttributeDefinitions"]]
    inventory = {"inventory_pk", "inventory_sk"}
    assert sorted(defined) == sorted(
        {"pk", "sk", *inventory, *(name for keys in LISTS.values() for name in keys)}
    )
    assert [key["AttributeName"] for key in definition["KeySchema"]] == ["pk", "sk"]


def test_both_tables_list_the_keys_of_all_that_a_tenant_has():
    assert control_definition("control")["GlobalSecondaryIndexes"][-1] == INVENTORY


def test_the_stream_carries_both_images():
    specification = table_definition("data")["StreamSpecification"]
    assert specification == {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
