"""The parts of the answer, in the order in which they are measured, told and printed.

A new part is a module beside this one, and its row here.
"""

from hpo.answer.sections.advised import ADVICE
from hpo.answer.sections.comparisons import COMPARISONS
from hpo.answer.sections.confirmed import CONFIRMED, PLANNED
from hpo.answer.sections.delivered import DELIVERY, MERGED
from hpo.answer.sections.final import FINAL
from hpo.answer.sections.front_versions import FRONT_VERSIONS
from hpo.answer.sections.known_labels import KNOWN_LABELS
from hpo.answer.sections.models.evaluation import EVALUATION
from hpo.answer.sections.models.feature_worth import FEATURE_WORTH
from hpo.answer.sections.models.growth import GROWTH
from hpo.answer.sections.models.networks import NETWORKS
from hpo.answer.sections.sellers.groups import GROUPS
from hpo.answer.sections.sellers.machine import MACHINE_USE
from hpo.answer.sections.sellers.prelabels import PRELABELS
from hpo.answer.sections.sellers.staff import STAFF
from hpo.answer.sections.views import VIEWS

SECTIONS = (
    FINAL,
    VIEWS,
    GROWTH,
    PLANNED,
    CONFIRMED,
    ADVICE,
    DELIVERY,
    MERGED,
    MACHINE_USE,
    EVALUATION,
    KNOWN_LABELS,
    STAFF,
    PRELABELS,
    GROUPS,
    FEATURE_WORTH,
    COMPARISONS,
    FRONT_VERSIONS,
    NETWORKS,
)
