resource "aws_internet_gateway" "this" {
  vpc_id = aws_vpc.this.id

  tags = { Name = var.deployment.name }
}

resource "aws_route_table" "public" {
  vpc_id = aws_vpc.this.id

  tags = { Name = "${var.deployment.name}-public" }
}

resource "aws_route" "internet" {
  route_table_id         = aws_route_table.public.id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.this.id
}

resource "aws_route_table_association" "public" {
  for_each = local.zones

  subnet_id      = aws_subnet.public[each.key].id
  route_table_id = aws_route_table.public.id
}

# One NAT gateway for all zones, at half the price of two: when its zone fails, extraction waits on its queue, and nobody
# logs in to the console until it is back.
resource "aws_eip" "nat" {
  #checkov:skip=CKV2_AWS_19:the address is of a NAT gateway, which the check does not know
  domain = "vpc"

  tags = { Name = "${var.deployment.name}-nat" }
}

resource "aws_nat_gateway" "this" {
  allocation_id = aws_eip.nat.id
  subnet_id     = aws_subnet.public[var.availability_zones[0]].id

  tags       = { Name = var.deployment.name }
  depends_on = [aws_internet_gateway.this]
}

resource "aws_route_table" "egress" {
  vpc_id = aws_vpc.this.id

  tags = { Name = "${var.deployment.name}-egress" }
}

resource "aws_route" "nat" {
  route_table_id         = aws_route_table.egress.id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.this.id
}

resource "aws_route_table_association" "egress" {
  for_each = local.zones

  subnet_id      = aws_subnet.egress[each.key].id
  route_table_id = aws_route_table.egress.id
}

resource "aws_route_table" "private" {
  vpc_id = aws_vpc.this.id

  tags = { Name = "${var.deployment.name}-private" }
}

resource "aws_route_table_association" "private" {
  for_each = local.zones

  subnet_id      = aws_subnet.private[each.key].id
  route_table_id = aws_route_table.private.id
}
