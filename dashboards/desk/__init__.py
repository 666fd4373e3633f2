"""The managers' desk: mails that tell of signals, and the pages that their links lead to."""
