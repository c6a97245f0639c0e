"""The whole stack on one machine, from wheels: PostgreSQL, Valkey, an AWS emulator and a USAJOBS simulator."""
