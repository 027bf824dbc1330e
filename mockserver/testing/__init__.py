"""What the pytest fixtures hand to a test: the API's address, and the means to steer and to ask the fake."""

from mockserver.testing.api import Mka1 as Mka1
from mockserver.testing.controls import ClockControls as ClockControls
from mockserver.testing.controls import FaultControls as FaultControls
from mockserver.testing.controls import FaultFields as FaultFields
from mockserver.testing.controls import StateControls as StateControls
from mockserver.testing.controls import When as When
from mockserver.testing.exchanges import Exchange as Exchange
from mockserver.testing.exchanges import Requests as Requests
from mockserver.testing.targets import Target as Target
from mockserver.testing.targets import open_target as open_target
