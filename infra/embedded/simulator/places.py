"""Duty stations: true cities with their coordinates, and invented towns around them for postings with a thousand."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import asin, cos, radians, sin, sqrt
from typing import Final

_EARTH_RADIUS: Final = 3958.8  # miles
UNITED_STATES: Final = "United States"

# State: City latitude longitude, ...
_CITIES: Final = """
District of Columbia: Washington 38.8951 -77.0364
Alabama: Huntsville 34.7304 -86.5861, Birmingham 33.5186 -86.8104, Montgomery 32.3668 -86.3000
Alaska: Anchorage 61.2181 -149.9003, Fairbanks 64.8378 -147.7164
Arizona: Phoenix 33.4484 -112.0740, Tucson 32.2226 -110.9747
Arkansas: Little Rock 34.7465 -92.2896
California: Los Angeles 34.0522 -118.2437, San Diego 32.7157 -117.1611, San Francisco 37.7749 -122.4194, \
Sacramento 38.5816 -121.4944, Fresno 36.7378 -119.7871, Edwards AFB 34.9054 -117.8837
Colorado: Denver 39.7392 -104.9903, Colorado Springs 38.8339 -104.8214, Boulder 40.0150 -105.2705
Connecticut: Hartford 41.7658 -72.6734
Florida: Miami 25.7617 -80.1918, Orlando 28.5383 -81.3792, Tampa 27.9506 -82.4572, Jacksonville 30.3322 -81.6557, \
Pensacola 30.4213 -87.2169
Georgia: Atlanta 33.7490 -84.3880, Savannah 32.0809 -81.0912, Warner Robins 32.6130 -83.6241
Hawaii: Honolulu 21.3069 -157.8583
Idaho: Boise 43.6150 -116.2023
Illinois: Chicago 41.8781 -87.6298, Springfield 39.7817 -89.6501
Indiana: Indianapolis 39.7684 -86.1581
Iowa: Des Moines 41.5868 -93.6250
Kansas: Wichita 37.6872 -97.3301, Topeka 39.0473 -95.6752
Kentucky: Louisville 38.2527 -85.7585
Louisiana: New Orleans 29.9511 -90.0715
Maine: Portland 43.6591 -70.2568
Maryland: Baltimore 39.2904 -76.6122, Bethesda 38.9847 -77.0947, Gaithersburg 39.1434 -77.2014
Massachusetts: Boston 42.3601 -71.0589
Michigan: Detroit 42.3314 -83.0458
Minnesota: Minneapolis 44.9778 -93.2650
Mississippi: Vicksburg 32.3526 -90.8779
Missouri: Kansas City 39.0997 -94.5786, Saint Louis 38.6270 -90.1994
Montana: Missoula 46.8721 -113.9940, Billings 45.7833 -108.5007
Nebraska: Omaha 41.2565 -95.9345
Nevada: Las Vegas 36.1699 -115.1398, Reno 39.5296 -119.8138
New Hampshire: Portsmouth 43.0718 -70.7626
New Jersey: Newark 40.7357 -74.1724
New Mexico: Albuquerque 35.0844 -106.6504
New York: New York 40.7128 -74.0060, Buffalo 42.8864 -78.8784, Albany 42.6526 -73.7562
North Carolina: Charlotte 35.2271 -80.8431, Fayetteville 35.0527 -78.8784
North Dakota: Fargo 46.8772 -96.7898
Ohio: Cincinnati 39.1031 -84.5120, Columbus 39.9612 -82.9988, Dayton 39.7589 -84.1916
Oklahoma: Oklahoma City 35.4676 -97.5164, Tulsa 36.1540 -95.9928
Oregon: Portland 45.5152 -122.6784
Pennsylvania: Philadelphia 39.9526 -75.1652, Pittsburgh 40.4406 -79.9959
Rhode Island: Newport 41.4901 -71.3128
South Carolina: Charleston 32.7765 -79.9311
South Dakota: Rapid City 44.0805 -103.2310
Tennessee: Memphis 35.1495 -90.0490, Nashville 36.1627 -86.7816
Texas: Houston 29.7604 -95.3698, Dallas 32.7767 -96.7970, San Antonio 29.4241 -98.4936, El Paso 31.7619 -106.4850, \
Austin 30.2672 -97.7431
Utah: Salt Lake City 40.7608 -111.8910, Ogden 41.2230 -111.9738
Virginia: Norfolk 36.8508 -76.2859, Richmond 37.5407 -77.4360, Reston 38.9586 -77.3570, Arlington 38.8816 -77.0910
Washington: Seattle 47.6062 -122.3321, Spokane 47.6588 -117.4260
Wisconsin: Milwaukee 43.0389 -87.9065
Wyoming: Cheyenne 41.1400 -104.8202
"""
_ABROAD: Final = """
Germany: Stuttgart 48.7758 9.1829, Wiesbaden 50.0782 8.2398
Japan: Yokosuka 35.2813 139.6722, Kadena 26.3556 127.7692
South Korea: Seoul 37.5665 126.9780
Italy: Naples 40.8518 14.2681, Vicenza 45.5455 11.5354
United Kingdom: London 51.5074 -0.1278
Belgium: Brussels 50.8503 4.3517
Singapore: Singapore 1.3521 103.8198
Panama: Panama City 8.9824 -79.5199
Bahrain: Manama 26.2285 50.5860
Spain: Rota 36.6232 -6.3600
"""
_STEMS: Final = """
Alder Ash Aspen Birch Bluff Briar Cedar Clay Copper Crow Deer Eagle Elk Elm Fern Flint Fox Granite Hawk Hazel Heron
Iron Juniper Larch Linden Maple Mill Otter Pine Prairie Quail River Salt Stone
"""
_ENDINGS: Final = """
Bay Bend Bridge Brook City Cove Creek Crossing Falls Ferry Field Ford Forge Gap Grove Harbor Heights Hill Hollow
Island Junction Lake Landing Meadow Park Pass Point Ridge Rock Spring Station Summit Valley View Wells
"""


@dataclass(frozen=True, slots=True)
class Place:
    """One duty station; `state` is empty abroad."""

    city: str
    state: str
    country: str
    latitude: float
    longitude: float

    @property
    def name(self) -> str:
        """As the API writes it: "Chicago, Illinois", "Naples, Italy"."""
        return f"{self.city}, {self.state or self.country}"


def _read(block: str, *, abroad: bool) -> Iterator[Place]:
    for line in block.strip().splitlines():
        area, _, cities = line.partition(": ")
        for city in cities.split(", "):
            name, latitude, longitude = city.rsplit(" ", 2)
            state, country = ("", area) if abroad else (area, UNITED_STATES)
            yield Place(name, state, country, float(latitude), float(longitude))


def _towns(cities: tuple[Place, ...]) -> Iterator[Place]:
    for number, (stem, ending) in enumerate(product(_STEMS.split(), _ENDINGS.split())):
        near = cities[number % len(cities)]
        north, east = number * 37 % 121 / 100 - 0.6, number * 53 % 121 / 100 - 0.6  # degrees: within some 50 miles
        at = round(near.latitude + north, 5), round(near.longitude + east, 5)
        yield Place(f"{stem} {ending}", near.state, near.country, *at)


CITIES: Final = (*_read(_CITIES, abroad=False), *_read(_ABROAD, abroad=True))
GAZETTEER: Final = (
    *CITIES,
    *_towns(tuple(city for city in CITIES if city.state)),
)  # about 1,300; postings hold indexes


def _names() -> dict[str, frozenset[int]]:
    found = defaultdict[str, set[int]](set)
    for index, place in enumerate(GAZETTEER):
        for name in (place.name, place.state, place.country):
            found[name.lower()].add(index)
    return {name: frozenset(indexes) for name, indexes in found.items() if name}


_BY_NAME: Final = _names()


def named(name: str) -> frozenset[int]:
    """Indexes of the places called "City, State", or of all in a state or country; none for an unknown name."""
    return _BY_NAME.get(name.strip().lower(), frozenset())


def within(centres: frozenset[int], radius: float) -> frozenset[int]:
    """Indexes of the places at most `radius` miles from any of `centres`."""
    around = [GAZETTEER[centre] for centre in centres]
    return frozenset(i for i, place in enumerate(GAZETTEER) if any(miles(place, c) <= radius for c in around))


def miles(here: Place, there: Place) -> float:
    """Great-circle distance (haversine)."""
    latitude, other = radians(here.latitude), radians(there.latitude)
    east = radians(there.longitude - here.longitude)
    half = sin((other - latitude) / 2) ** 2 + cos(latitude) * cos(other) * sin(east / 2) ** 2
    return 2 * _EARTH_RADIUS * asin(sqrt(half))
