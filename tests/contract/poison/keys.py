"""Keys of every kind: a good posting under each, which must land, or say why not."""

from tests.contract.poison.case import BRONZE, GOOD, UPLOADS, Case, DeadLetter, Ending, good

LONGEST_KEY = 1_024  # bytes, S3's limit
OURS = "not the key of raw data"
NAMES = {
    "spaces": "a key  with spaces .json",
    "plus signs": "a+b++c.json",
    "percent signs": "100%25 %2B %zz %.json",
    "unicode": "ключ 鍵 🔑 é e\u0301.json",
    "SQL": "'; drop table ops.loaded_object; --.json",
    "HTML": "<script>alert(1)</script>&amp;\"'.json",
    "escapes of terminals": "\x1b[31mred\x1b[0m\x07.json",
    "line ends": "two\r\nlines\t.json",
    "right to left": "\u202egnp.json",
    "a query": "page.json?versionId=null&x=1#y",
    "a backslash": "a\\b\\..\\c.json",
    "equals signs of a partition": "date=2026-99-99/run=x/page.json",
    "a name of another layer": "silver/quarantine/plans/bronze/x.json",
    "dots": ".../....json",
    "the longest length": "/".join(["k" * 150] * 7)[: LONGEST_KEY - len(UPLOADS)],
    "the length at which its silver key would not fit": "/".join(["m" * 150] * 7)[
        : 900 - len("usajobs_search/uploads/")
    ],
}
PATHS: dict[str, tuple[str, Ending]] = {
    "up and out of uploads": (f"{UPLOADS}../../x.json", GOOD),
    "up and out of the bucket": (f"{UPLOADS}../../../../../../../../tmp/x.json", GOOD),
    "from bronze to silver": ("bronze/../silver/x.json", DeadLetter(r"no dataset '\.\.'", BRONZE)),
    "no dataset": ("uploads//x.json", DeadLetter(OURS)),
    "no dataset and no folder": ("bronze/x.json", DeadLetter(OURS, BRONZE)),
    "a dataset of dots": ("uploads/./x.json", DeadLetter(r"no dataset '\.'")),
    "an unknown dataset": ("uploads/usajobs_searches/x.json", DeadLetter("no dataset 'usajobs_searches'")),
    "a dataset in capitals": ("uploads/USAJOBS_SEARCH/x.json", DeadLetter("no dataset")),
    "a dataset that is a module": ("uploads/contract/x.json", DeadLetter("no dataset 'contract'")),
    "a dataset that is a path of modules": ("uploads/usajobs_search.raw/x.json", DeadLetter("no dataset")),
    "a dataset with SQL": ("uploads/x'; drop schema ops; --/x.json", DeadLetter("no dataset")),
    "outside of uploads": (
        "bronze/usajobs_search/elsewhere/x.json",
        DeadLetter("not the envelope of a page or a replay", BRONZE),
    ),
}

CASES = (
    *(
        Case(f"a key with {what}", good, GOOD, key=f"{UPLOADS}poison/{name}"[:LONGEST_KEY])
        for what, name in NAMES.items()
    ),
    *(
        Case(
            f"a key that leads {what}" if what.startswith(("up", "from")) else f"a key with {what}", good, ends, key=key
        )
        for what, (key, ends) in PATHS.items()
    ),
)
