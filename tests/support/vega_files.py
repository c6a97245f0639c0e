"""Files made like those of the npm package vega-datasets: the same columns, spellings and formats."""

import json
from collections.abc import Mapping

AIRPORTS = """\
iata,name,city,state,country,latitude,longitude
00M,Thigpen,Bay Springs,MS,USA,31.95376472,-89.23450472
00R,"Livingston, Municipal",Livingston,TX,USA,30.68586111,-95.01792778
01G,"Perry ""Warsaw"" Field",Perry,NY,USA,42.74134667,-78.05208056
ABQ,Albuquerque International,Albuquerque,NM,USA,35.04022222,-106.6091944
"""
STOCKS = """\
symbol,date,price
MSFT,Jan 1 2000,39.81
MSFT,Feb 1 2000,36.35
AMZN,Jan 1 2000,64.56
AMZN,Feb 1 2000,68.87
"""
EMPLOYMENT = """\
month,nonfarm,private,nonfarm_change,government
2006-01-01,135450,113603,282,21847
2006-02-01,135762,113884,312,21878
2006-03-01,136059,114156,-297,21903
"""
MOVIES = json.dumps(
    [
        {"Title": "The Land Girls", "US Gross": 146083, "Release Date": "Jun 12 1998", "MPAA Rating": "R", "IMDB Rating": 6.1, "Running Time min": None},
        {"Title": "First Love, Last Rites", "US Gross": 10876, "Release Date": "Aug 07 1998", "MPAA Rating": None, "IMDB Rating": 6.9, "Running Time min": None},
        {"Title": 300, "US Gross": 210614939, "Release Date": "Mar 09 2007", "MPAA Rating": "R", "IMDB Rating": 8, "Running Time min": 117},
    ],
    indent=1,
)  # fmt: skip
EARTHQUAKES = json.dumps(
    {
        "type": "FeatureCollection",
        "metadata": {"generated": 1517969086000, "count": 2},
        "features": [
            {
                "type": "Feature",
                "properties": {"mag": 2, "place": "4km W of Castaic, CA", "time": 1517966773840, "tz": -480, "felt": None, "magType": "ml", "type": "earthquake"},
                "geometry": {"type": "Point", "coordinates": [-118.6671667, 34.4945, 26.49]},
                "id": "ci37868143",
            },
            {
                "type": "Feature",
                "properties": {"mag": 0.93, "place": "20km WSW of Lee Vining", "time": 1517966427530, "tz": -480, "felt": 3, "magType": "md", "type": "quarry blast"},
                "geometry": {"type": "Point", "coordinates": [-119.3, 37.8, 1]},
                "id": "nc72964176",
            },
        ],
    }
)  # fmt: skip
FILES: Mapping[str, str] = {
    "airports.csv": AIRPORTS,
    "stocks.csv": STOCKS,
    "us-employment.csv": EMPLOYMENT,
    "movies.json": MOVIES,
    "earthquakes.json": EARTHQUAKES,
}
