"""What tests share. Pytest explains failed assertions in test files only, unless it is told of others."""

import pytest

pytest.register_assert_rewrite("support.harness", "support.shared")
