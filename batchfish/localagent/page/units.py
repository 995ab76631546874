"""Units of measure: how pages write them, how property names end on them, and what one is in another."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# dimension -> unit -> (its size in the dimension's first unit, how it is written)
UNITS: Mapping[str, Mapping[str, tuple[float, str]]] = {
    "length": {
        "m": (1, "m metre metres meter meters mètre mètres metro metros metri"),
        "km": (1000, "km kilometre kilometres kilometer kilometers kilomètres kilómetros chilometri"),
        "cm": (0.01, "cm centimetre centimetres centimeter centimeters zentimeter"),
        "mm": (0.001, "mm millimetre millimetres millimeter millimeters"),
        "ft": (0.3048, "ft foot feet"),
        "in": (0.0254, "in inch inches zoll ″"),
        "mi": (1609.344, "mi mile miles"),
        "yd": (0.9144, "yd yard yards"),
        "nmi": (1852, "nmi sm"),
    },
    "mass": {
        "kg": (1, "kg kilo kilos kilogram kilograms kilogramm"),
        "g": (0.001, "g gram grams gramm grammes"),
        "mg": (0.000001, "mg milligram milligrams"),
        "t": (1000, "t tonne tonnes ton tons"),
        "lb": (0.45359237, "lb lbs pound pounds"),
        "oz": (0.028349523125, "oz ounce ounces"),
        "ct": (0.0002, "carat carats"),
    },
    "area": {
        "km2": (1, "km2 km² sqkm qkm"),
        "m2": (0.000001, "m2 m² sqm qm mq"),
        "ha": (0.01, "ha hectare hectares hektar"),
        "mi2": (2.589988110336, "mi2 mi² sqmi"),
        "ft2": (9.290304e-8, "ft2 ft² sqft"),
        "acres": (0.0040468564224, "acres acre ac"),
        "cm2": (1e-10, "cm2 cm²"),
    },
    "volume": {
        "l": (1, "l litre litres liter liters"),
        "ml": (0.001, "ml millilitre millilitres milliliter milliliters"),
        "cl": (0.01, "cl centilitre centilitres"),
        "m3": (1000, "m3 m³ cbm"),
        "cm3": (0.001, "cm3 cm³ ccm cc"),
        "gal": (3.785411784, "gal gallon gallons"),
        "ft3": (28.316846592, "ft3 ft³ cuft"),
    },
    "duration": {
        "seconds": (1, "s sec secs second seconds sekunden secondes segundos secondi"),
        "minutes": (
            60,
            "min mins minute minutes minuten minutos minuti minuter minutter minuty minut minuuttia",
        ),
        "hours": (
            3600,
            (
                "h hr hrs hour hours std stunde stunden heure heures hora horas ora ore uur tim "
                "timmar timer godz hod tuntia"
            ),
        ),
        "days": (
            86400,
            (
                "d day days tag tage tagen jour jours día días giorni giorno dia dias dag dagen "
                "dagar dage dni dzień"
            ),
        ),
        "weeks": (
            604800,
            (
                "week weeks woche wochen semaine semaines semana semanas settimana settimane "
                "weken vecka veckor uge uger"
            ),
        ),
        "years": (
            31557600,
            "yr yrs year years jahr jahre jahren an ans année années año años anno anni ano anos jaar år lat",
        ),
    },
    "temperature": {"c": (1, "°c ℃ celsius"), "f": (1, "°f ℉ fahrenheit"), "k": (1, "k kelvin")},
    "share": {"percent": (1, "% percent prozent pct"), "permille": (0.1, "‰ permille")},
    "power": {
        "w": (1, "w watt watts"),
        "kw": (1000, "kw kilowatt kilowatts"),
        "mw": (1e6, "mw megawatt megawatts"),
        "gw": (1e9, "gw gigawatt gigawatts"),
        "kwp": (1000, "kwp"),
        "hp": (745.69987, "hp bhp horsepower"),
        "ps": (735.49875, "ps cv ch pk hk"),
        "kva": (1000, "kva"),
    },
    "voltage": {"v": (1, "v volt volts"), "kv": (1000, "kv"), "mv": (0.001, "mv")},
    "economy": {"mpg": (1, "mpg")},
    "emission": {"g/km": (1, "g/km")},
    "illuminance": {"lx": (1, "lx lux")},
    "force": {"n": (1, "newton newtons"), "kn": (1000, "kn kilonewton")},
    "rate": {
        "mbit/s": (1, "mbit/s mbps mb/s"),
        "gbit/s": (1000, "gbit/s gbps"),
        "kbit/s": (0.001, "kbit/s kbps"),
    },
    "speed": {
        "kmh": (1, "km/h kmh kph"),
        "mph": (1.609344, "mph"),
        "ms": (3.6, "m/s"),
        "knots": (1.852, "knots knot kt kts"),
    },
    "flow": {"m3/s": (1, "m3/s m³/s"), "l/s": (0.001, "l/s"), "l/min": (1 / 60000, "l/min")},
    "concentration": {"mg/l": (1, "mg/l"), "ug/m3": (0.000001, "µg/m³ μg/m³ ug/m3 µg/m3"), "ppm": (1, "ppm")},
    "pressure": {"hpa": (1, "hpa mbar"), "bar": (1000, "bar"), "psi": (68.947573, "psi"), "kpa": (10, "kpa")},
    "loudness": {"db": (1, "db dba")},
    "light": {"lm": (1, "lm lumen lumens")},
    "charge": {"mah": (1, "mah"), "ah": (1000, "ah")},
    "torque": {"nm": (1, "nm")},
    "rotation": {"rpm": (1, "rpm tpm u/min tr/min omw/min")},
    "frequency": {
        "hz": (1, "hz hertz"),
        "khz": (1000, "khz"),
        "mhz": (1e6, "mhz"),
        "ghz": (1e9, "ghz"),
    },
    "energy": {
        "kcal": (1, "kcal calories"),
        "kj": (0.239, "kj"),
        "kwh": (860.42, "kwh"),
        "mwh": (860420, "mwh"),
        "gwh": (860420000, "gwh"),
    },
    "data": {
        "kb": (0.001, "kb kilobyte kilobytes kib"),
        "mb": (1, "mb megabyte megabytes mib"),
        "gb": (1000, "gb gigabyte gigabytes"),
        "tb": (1000000, "tb terabyte"),
    },
}
# fmt: off
# How the last word of a property name says the unit; a single letter does so only at the end.
IN_NAMES: Mapping[str, str] = {
    "celsius": "c", "fahrenheit": "f", "kelvin": "k", "mins": "minutes", "min": "minutes",
    "minute": "minutes", "hour": "hours",
    "hrs": "hours", "sec": "seconds", "secs": "seconds", "second": "seconds", "day": "days",
    "metres": "m", "meters": "m", "kilometres": "km", "kilometers": "km", "grams": "g", "kilograms": "kg",
    "sqkm": "km2", "sqm": "m2", "pct": "percent", "feet": "ft", "inches": "in", "pounds": "lb", "miles": "mi",
    "tons": "t", "tonnes": "t",
    "litres": "l", "liters": "l", "watts": "w",
}
# fmt: on
# Written apart, these are words.
SHORTEST_WORD = 4
SHORTEST_WHOLE = 3
NEVER_IN_NAMES = frozenset({"in", "years"})
ZERO_CELSIUS = 273.15

_BY_SPELLING: Mapping[str, str] = {
    spelling: unit
    for units in UNITS.values()
    for unit, (_, spellings) in units.items()
    for spelling in spellings.split()
}
_DIMENSION: Mapping[str, str] = {unit: dimension for dimension, units in UNITS.items() for unit in units}


def unit_of(spelling: str) -> str | None:
    """Give the unit that a page means by a spelling; case counts no more than pages let it."""
    return _BY_SPELLING.get(spelling.strip(". ").casefold())


def unit_in_name(word: str) -> str | None:
    """Give the unit that a word at the end of a property name asks for."""
    unit = IN_NAMES.get(word) or (_BY_SPELLING.get(word, word) if len(word) >= SHORTEST_WORD else word)
    return unit if unit in _DIMENSION and unit not in NEVER_IN_NAMES else None


def split_unit(words: Sequence[str]) -> tuple[str | None, Sequence[str]]:
    """Take the unit off the end of a property name: `flow_m3_s` is a flow in cubic metres a second."""
    ends = [word.lower() for word in words[-2:]]
    if len(words) > len(ends) and (unit := unit_of("/".join(ends))):
        return unit, words[:-2]
    if len(words) > 1 and (unit := unit_in_name(ends[-1])):
        return unit, words[:-1]
    return (unit_in_name(ends[-1]) if len(ends[-1]) >= SHORTEST_WHOLE else None), words


def convert(value: float, found: str, wanted: str) -> float | None:
    """Say an amount in another unit; None where the two measure different things."""
    if found == wanted:
        return value
    dimension = _DIMENSION[found]
    if dimension != _DIMENSION[wanted]:
        return None
    if dimension == "temperature":
        celsius = {"c": value, "f": (value - 32) / 1.8, "k": value - ZERO_CELSIUS}[found]
        return {"c": celsius, "f": celsius * 1.8 + 32, "k": celsius + ZERO_CELSIUS}[wanted]
    return value * UNITS[dimension][found][0] / UNITS[dimension][wanted][0]


def measures_same(first: str, second: str) -> bool:
    """Whether two units are of one dimension."""
    return _DIMENSION[first] == _DIMENSION[second]
