"""A commented skeleton of a contract, for use without a sample."""

SKELETON = """\
# The reference of every word: docs/add-a-dataset.md and https://bitol-io.github.io/open-data-contract-standard/
apiVersion: v3.1.0
kind: DataContract
id: {name}
name: {name}
version: 1.0.0 # raise the first number wherever the same record may give other rows
status: active
# customProperties: # what the standard has no word for
#   - {{property: smelt, value: {{records: data.items}}}} # where a JSON document has its list of records
# slaProperties:
#   - {{property: freshness, value: 26, unit: h}} # `smelt check` fails where no complete run is newer
schema:
  - name: {name} # the table with a row a record
    physicalType: table
    description: What one row is.
    quality:
      - {{name: key_unique, metric: duplicateValues, arguments: {{properties: [id]}}, mustBe: 0, severity: warning}}
      # - {{name: in_order, type: custom, engine: smelt, implementation: valid_from <= valid_to}}
    properties: # logicalType: string, integer, number, boolean, date, timestamp, time, array, object
      - {{name: id, logicalType: string, primaryKey: true}}
      # - {{name: Full Name, physicalName: full_name, logicalType: string, required: true}} # a field of another name
      # - {{name: price, logicalType: number, physicalType: "numeric(14,2)", logicalTypeOptions: {{minimum: 0}}}}
      # - {{name: valid_from, logicalType: date, logicalTypeOptions: {{format: MM/dd/yyyy}}}} # ISO 8601 needs no format
      # - {{name: valid_to, logicalType: date}}
      # - {{name: updated, logicalType: timestamp, logicalTypeOptions: {{format: epoch-milliseconds}}}}
      # - {{name: tags, logicalType: array, items: {{logicalType: string}}}}
      # - {{name: city, logicalType: string, customProperties: [{{property: smelt, value: {{path: address.city}}}}]}}
      # - {{name: anything, logicalType: object}} # kept as JSON
  # - name: {name}_item # a list of objects inside of a record is a table of its own
  #   physicalType: table
  #   customProperties: [{{property: smelt, value: {{path: "items[]"}}}}]
  #   properties:
  #     - {{name: code, logicalType: string}}
"""


def skeleton(name: str) -> str:
    """The text of a contract of this name."""
    return SKELETON.format(name=name)
