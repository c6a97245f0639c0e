from smelt import Row


def normalise(row: Row) -> Row:
    row["level_m"] = None if row["level_cm"] is None else row["level_cm"] / 100
    return row
