"""The codes that postings use: agencies, occupational series and the small lists, each also served as a code list."""

from dataclasses import dataclass
from typing import Final

from infra.embedded.simulator.places import CITIES

# Department: agency code and name; ... Every agency code begins with its department's.
_AGENCIES: Final = """
AF Department of the Air Force: AF1M Air Force Materiel Command; AF0J Air Education and Training Command; \
AF1C Air Combat Command
AG Department of Agriculture: AG11 Forest Service; AG37 Food Safety and Inspection Service; \
AG03 Agricultural Research Service
AR Department of the Army: ARCE U.S. Army Corps of Engineers; ARBA Army Installation Management Command; \
ARMC Army Medical Command
CM Department of Commerce: CM54 National Oceanic and Atmospheric Administration; CM57 National Institute of Standards \
and Technology; CM63 Bureau of the Census; CM56 Patent and Trademark Office
DD Department of Defense: DD07 Defense Logistics Agency; DD63 Defense Contract Management Agency; \
DD34 Defense Health Agency
DJ Department of Justice: DJ02 Federal Bureau of Investigation; DJ03 Bureau of Prisons; \
DJ06 Drug Enforcement Administration
DL Department of Labor: DLSH Occupational Safety and Health Administration; DLLS Bureau of Labor Statistics
DN Department of Energy: DN10 National Nuclear Security Administration; DN00 Department of Energy
ED Department of Education: EDER Federal Student Aid
EP Environmental Protection Agency: EP00 Environmental Protection Agency
GS General Services Administration: GS30 Public Buildings Service; GS15 Federal Acquisition Service
HE Department of Health and Human Services: HE38 National Institutes of Health; HE39 Centers for Disease Control and \
Prevention; HE36 Food and Drug Administration; HE37 Indian Health Service
HS Department of Homeland Security: HSBC Transportation Security Administration; HSBD Customs and Border Protection; \
HSCB Federal Emergency Management Agency; HSAC Coast Guard
HU Department of Housing and Urban Development: HUFF Office of Fair Housing
IN Department of the Interior: IN10 National Park Service; IN08 Geological Survey; IN05 Bureau of Land Management
LP Government Publishing Office: LP00 Government Publishing Office
NN National Aeronautics and Space Administration: NN10 Goddard Space Flight Center; NN62 Marshall Space Flight Center
NQ National Archives and Records Administration: NQ00 National Archives and Records Administration
NV Department of the Navy: NV25 Naval Facilities Engineering Systems Command; NV24 Naval Sea Systems Command; \
NV27 Marine Corps
OM Office of Personnel Management: OM00 Office of Personnel Management
SB Small Business Administration: SB00 Small Business Administration
ST Department of State: ST00 Department of State
SZ Social Security Administration: SZ00 Social Security Administration
TD Department of Transportation: TD03 Federal Aviation Administration; TD04 Federal Highway Administration
TR Department of the Treasury: TR93 Internal Revenue Service; TR35 Bureau of the Fiscal Service
VA Department of Veterans Affairs: VATA Veterans Health Administration; VALA Veterans Benefits Administration
"""
# Code, name of the category, title of a position in it.
_SERIES: Final = """
0018 Safety and Occupational Health Management/Safety Specialist; 0020 Community Planning/Community Planner
0025 Park Ranger/Park Ranger; 0080 Security Administration/Security Specialist
0083 Police/Police Officer; 0081 Fire Protection and Prevention/Firefighter
0101 Social Science/Social Scientist; 0110 Economist/Economist; 0132 Intelligence/Intelligence Specialist
0170 History/Historian; 0180 Psychology/Clinical Psychologist; 0185 Social Work/Social Worker
0201 Human Resources Management/Human Resources Specialist; 0260 Equal Employment Opportunity/EEO Specialist
0301 Miscellaneous Administration and Program/Program Specialist
0303 Miscellaneous Clerk and Assistant/Program Assistant
0318 Secretary/Secretary; 0340 Program Management/Program Manager; 0341 Administrative Officer/Administrative Officer
0343 Management and Program Analysis/Management Analyst; 0346 Logistics Management/Logistics Management Specialist
0401 General Natural Resources Management and Biological Sciences/Biologist; 0408 Ecology/Ecologist
0462 Forestry Technician/Forestry Technician; 0501 Financial Administration and Program/Financial Specialist
0510 Accounting/Accountant; 0511 Auditing/Auditor; 0512 Internal Revenue Agent/Internal Revenue Agent
0560 Budget Analysis/Budget Analyst; 0601 General Health Science/Health Scientist; 0602 Medical Officer/Physician
0610 Nurse/Registered Nurse; 0620 Practical Nurse/Licensed Practical Nurse
0644 Medical Technologist/Medical Technologist
0660 Pharmacist/Clinical Pharmacist; 0679 Medical Support Assistance/Medical Support Assistant
0801 General Engineering/Engineer; 0808 Architecture/Architect; 0810 Civil Engineering/Civil Engineer
0819 Environmental Engineering/Environmental Engineer; 0830 Mechanical Engineering/Mechanical Engineer
0850 Electrical Engineering/Electrical Engineer; 0854 Computer Engineering/Computer Engineer
0855 Electronics Engineering/Electronics Engineer; 0861 Aerospace Engineering/Aerospace Engineer
0905 General Attorney/Attorney Adviser; 0950 Paralegal Specialist/Paralegal Specialist
1035 Public Affairs/Public Affairs Specialist; 1101 General Business and Industry/Business Specialist
1102 Contracting/Contract Specialist; 1170 Realty/Realty Specialist; 1301 General Physical Science/Physical Scientist
1310 Physics/Physicist; 1320 Chemistry/Chemist; 1340 Meteorology/Meteorologist; 1370 Cartography/Cartographer
1515 Operations Research/Operations Research Analyst; 1529 Mathematical Statistics/Mathematical Statistician
1550 Computer Science/Computer Scientist; 1560 Data Science/Data Scientist; 1801 General Inspection/Inspector
1811 Criminal Investigation/Criminal Investigator; 1825 Aviation Safety/Aviation Safety Inspector
2003 Supply Program Management/Supply Management Specialist; 2101 Transportation Specialist/Transportation Specialist
2152 Air Traffic Control/Air Traffic Control Specialist; 2181 Aircraft Operation/Airplane Pilot
2210 Information Technology Management/IT Specialist; 5803 Heavy Mobile Equipment Mechanic/Heavy Equipment Mechanic
4749 Maintenance Mechanic/Maintenance Mechanic; 7408 Food Service Working/Food Service Worker
"""
UNTIDY_SERIES: Final = frozenset({"0020", "0343", "0510", "1529"})  # the API leaves white space after these names

SCHEDULES: Final = {
    "1": "Full-time", "2": "Part-time", "3": "Shift work", "4": "Intermittent", "5": "Job sharing",
    "6": "Multiple Schedules",
}  # fmt: skip
OFFERINGS: Final = {
    "15317": "Permanent", "15318": "Temporary", "15319": "Term", "15320": "Detail", "15322": "Seasonal",
    "15325": "Recent graduates", "15326": "Multiple", "15328": "Agency Employees Only", "15667": "Internships",
}  # fmt: skip
HIRING_PATHS: Final = {
    "public": "The public", "fed-competitive": "Federal employees - Competitive service",
    "fed-excepted": "Federal employees - Excepted service", "fed-internal-search": "Internal to an agency",
    "fed-transition": "Career transition (CTAP, ICTAP, RPL)", "vet": "Veterans", "mspouse": "Military spouses",
    "nguard": "National Guard & Reserves", "disability": "Individuals with disabilities", "student": "Students",
    "graduates": "Recent graduates", "peace": "Peace Corps & AmeriCorps Vista", "native": "Native Americans",
    "ses": "Senior executives", "overseas": "Family of overseas employees",
    "special-authorities": "Special authorities",
}  # fmt: skip
RATE_INTERVALS: Final = {
    "PA": "Per Year", "PH": "Per Hour", "PD": "Per Day", "PM": "Per Month", "BW": "Bi-weekly", "FB": "Fee Basis",
    "WC": "Without Compensation",
}  # fmt: skip
CLEARANCES: Final = {
    "0": "Not Required", "1": "Confidential", "2": "Secret", "3": "Top Secret",
    "4": "Sensitive Compartmented Information", "5": "Q Access Authorization",
    "6": "Public Trust - Background Investigation", "7": "Other",
}  # fmt: skip
TRAVEL: Final = {
    "0": "Not required", "1": "Occasional travel", "2": "25% or less", "5": "50% or less", "7": "75% or less",
    "8": "76% or greater",
}  # fmt: skip
COUNTRIES: Final = dict(
    zip(
        ("US", "GM", "JA", "KS", "IT", "UK", "BE", "SN", "PM", "BA", "SP"),  # the API uses FIPS codes
        dict.fromkeys(city.country for city in CITIES),
        strict=True,
    )
)


@dataclass(frozen=True, slots=True)
class Agency:
    """An agency and its department."""

    code: str
    name: str
    department: str
    department_name: str

    @property
    def path(self) -> str:
        """Department and agency code as Search writes them; it counts the military departments to Defense."""
        return f"{'DD' if self.department in {'AF', 'AR', 'NV'} else self.department}/{self.code}"


@dataclass(frozen=True, slots=True)
class Series:
    """An occupational series and the title of a position in it."""

    code: str
    name: str
    title: str

    @property
    def category(self) -> str:
        """Its name as Search writes it in a posting."""
        return f"{self.name} " if self.code in UNTIDY_SERIES else self.name


def _agencies() -> tuple[Agency, ...]:
    departments = (line.partition(": ") for line in _AGENCIES.strip().splitlines())
    return tuple(
        Agency(*agency.split(" ", 1), *department.split(" ", 1))
        for department, _, agencies in departments
        for agency in agencies.split("; ")
    )


def _series() -> tuple[Series, ...]:
    entries = _SERIES.strip().replace("\n", "; ").split("; ")
    return tuple(Series(entry[:4], *entry[5:].split("/")) for entry in entries)


AGENCIES: Final = _agencies()
SERIES: Final = _series()
DEPARTMENTS: Final = {agency.department: agency.department_name for agency in AGENCIES}
