"""The pieces the lab is built of; keeper.py puts them together."""
