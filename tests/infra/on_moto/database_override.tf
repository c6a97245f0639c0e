# In modules/database of a copy. The provider sets the authority by a change of its own after the creation, and waits for
# 80 s each time: the schema of the attribute is checked by `validate` and by the tests on mocks.

resource "aws_db_instance" "this" {
  ca_cert_identifier = null
}
