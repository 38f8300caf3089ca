from graphql_api.store.schema import INDEX_PARTITIONS, Index, table_definition

LISTS = {
    "by_position": ("project_pk", "position_sk"),
    "by_status": ("project_pk", "status_sk"),
    "project_agenda": ("project_pk", "agenda_sk"),
    "assignee_agenda": ("assignee_pk", "agenda_sk"),
    "listing": ("listing_pk", "agenda_sk"),
}


def test_there_are_five_indexes_of_whole_items():
    indexes = table_definition("data")["GlobalSecondaryIndexes"]
    keys = {
        index["IndexName"]: tuple(attribute["AttributeName"] for attribute in index["KeySchema"])
        for index in indexes
    }
    assert keys == LISTS
    assert {index["Projection"]["ProjectionType"] for index in indexes} == {"ALL"}
    assert [[key["KeyType"] for key in index["KeySchema"]] for index in indexes] == [["HASH", "RANGE"]] * 5


def test_the_names_in_code_are_the_names_in_the_table():
    assert {index.index_name: tuple(index.value) for index in Index} == LISTS
    assert set(INDEX_PARTITIONS) == {partition for partition, _ in LISTS.values()}


def test_exactly_the_key_attributes_are_defined():
    definition = table_definition("data")
    defined = [attribute["AttributeName"] for attribute in definition["AttributeDefinitions"]]
    assert sorted(defined) == sorted({"pk", "sk", *(name for keys in LISTS.values() for name in keys)})
    assert [key["AttributeName"] for key in definition["KeySchema"]] == ["pk", "sk"]


def test_the_stream_carries_both_images():
    specification = table_definition("data")["StreamSpecification"]
    assert specification == {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
