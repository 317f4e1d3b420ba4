import pytest

from realdeg.utils.deprecation import renamed_attributes


def test_an_old_name_is_found_and_says_the_new_one():
    lookup = renamed_attributes("realdeg.old", {"OldPath": "pathlib:Path"})
    with pytest.warns(DeprecationWarning, match=r"realdeg\.old\.OldPath .* use pathlib\.Path"):
        found = lookup("OldPath")
    assert found.__name__ == "Path"


def test_a_name_that_never_was_is_an_attribute_error():
    lookup = renamed_attributes("realdeg.old", {"OldPath": "pathlib:Path"})
    with pytest.raises(AttributeError, match="'realdeg.old' has no attribute 'Nothing'"):
        lookup("Nothing")
