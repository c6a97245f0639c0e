"""The ground floor: what the services agree on. Imports no service and names no dataset outside its folder."""
