"""Every limit of the service, with its unit in its name: nothing is unbounded."""

from __future__ import annotations

from typing import Final

SOURCE_NAME_CHARACTERS_MAX: Final = 40
LOCAL_ID_CHARACTERS_MAX: Final = 64
FIELD_CHARACTERS_MAX: Final = 1_000
"""Longer text in one field is cut for comparison; the version keeps it whole."""
HISTORY_VALUES_MAX: Final = 16
"""Values of one field that a record brings to a comparison, the most recent first."""
BLOCKING_KEYS_MAX: Final = 256
"""Keys of one record under one blocking rule; those of stop-listed ones not counted."""
FIELD_ENTRIES_MAX: Final = 100
"""Earlier names, earlier addresses, further telephones or related people in one statement."""
REQUEST_KEY_CHARACTERS_MAX: Final = 200
BATCH_RECORDS_MAX: Final = 1_000
"""Statements in one request."""
PAGE_ITEMS_MAX: Final = 100
"""Entries of one page of a list."""
REQUEST_BYTES_MAX: Final = 1_048_576
"""Body of an HTTP request: 1 MiB."""
JSON_DEPTH_MAX: Final = 20
"""Lists and objects of a body that may stand within one another."""
TOKEN_BYTES_MAX: Final = 8_192
"""An access token or client assertion, as it is sent."""
REFUSALS_PER_MINUTE_MAX: Final = 3_000
"""Refusals of one address that are audited; past that it gets 429 and no line."""
CLIENTS_MAX: Final = 10_000
WEBHOOKS_MAX: Final = 32
BLOCK_RECORDS_MAX: Final = 500
"""Records that may share one blocking value and still be compared through it."""
CANDIDATES_MAX: Final = 1_000
"""Records scored for one look-up; past that the answer says that it is incomplete."""
STATEMENT_TIMEOUT_S: Final = 2.0
"""Seconds that one statement of PostgreSQL may take; bulk work has no such limit."""
LOCK_WAIT_S: Final = 20.0
"""Seconds of waiting for others who write to the same records; past that the caller is asked to
try again."""
REQUEST_KEPT_DAYS: Final = 30
"""Days for which a request sent again under its key gets its first outcome."""
FEED_LINE_BYTES_MAX: Final = 1_048_576
"""A line of a feed, 1 MiB; a row with a longer one is set aside."""
FEED_FIELD_CHARACTERS_MAX: Final = 20_000
"""A row of a feed with a longer field is set aside: it is not demographics."""
FEED_ROW_LINES_MAX: Final = 10
"""Lines that one quoted value may spread a row over; past that its quotation mark is a slip."""
SYNTHETIC_PEOPLE_MAX: Final = 909_090
"""Usable NHS numbers in the range 999 000 0000 - 999 999 9999, which no real person has."""
