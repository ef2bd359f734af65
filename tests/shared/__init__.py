"""What tests of several files share and is no fixture: small data, settings of short runs, and what to expect."""
