"""Long texts, put together from short phrases so that no two postings read alike and compression cannot cheat."""

from random import Random
from typing import Final

# One line a part of the sentence: who, does, which, what, where, how.
_PHRASES: Final = """
The incumbent,You,The person selected,A successful applicant,The specialist,Every member of the team,The team lead,\
The appointee,The senior adviser,The candidate chosen,The resident expert,The duty officer,A colleague of yours
coordinate,review,draft,evaluate,inspect,document,oversee,present,reconcile,schedule,negotiate,analyze,maintain,test,\
approve,interpret,carry out,explain,keep records of,train others in,report on,improve,give advice on,audit,verify,\
design,monitor,modernize,summarize,defend,register,publish,compare,calculate,survey,restore,translate
regional,urgent,complex,seasonal,long-standing,statistical,hydraulic,clinical,budgetary,environmental,geospatial,\
legislative,tribal,interagency,contested,classified,digital,historic,routine,unusual,national,rural,coastal,medical,\
financial,annual,overseas,experimental,regulatory,structural,technical,voluntary,multi-year,cross-functional,federal
inspections,résumés,contracts,models,appointments,field offices,requests,assessments,maintenance records,samples,\
claims,information systems,survey marks,curricula,vouchers,instruments,grants,incidents,collections,permits,payrolls,\
letters,inventories,drawings,exercises,forecasts,dashboards,interviews,buildings,procedures,hearings,estimates,\
waterways,datasets,shipments,agreements,laboratories,networks,case files,trails,audits,timetables,licenses,aircraft
in the main office,across time zones,in the laboratory,at remote sites,for senior executives,near the border,\
together with partners,in a shared workspace,on the production floor,by video conference,for the public,at sea,\
within the bureau,for several programs,in support of field staff,at headquarters,in two languages,under contract
with minimal direction,within # days,using sound judgment,under deadline no. #,as paragraph # describes,\
at least # times a year,according to standard #,for up to # % of the time,in teams of #,as a collateral duty,\
from intake to final decision,without exception,citing form SF-#,in at least # cases,whenever item # requires it
"""
_NUMBERS: Final = [str(number) for number in range(2, 100)]
_PARTS: Final = [line.split(",") for line in _PHRASES.strip().splitlines()]


def text(random: Random, sentences: int) -> str:
    """So many sentences, about 95 characters each."""
    parts = (random.choices(phrases, k=sentences) for phrases in _PARTS)
    numbers = random.choices(_NUMBERS, k=sentences)
    return " ".join(
        [
            f"{who} will {does} {which} {what} {where}, {how.replace('#', number)}."
            for who, does, which, what, where, how, number in zip(*parts, numbers, strict=True)
        ]
    )
