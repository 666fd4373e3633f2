"""The stages of a live stream: machines that take messages and keep state, whatever engine moves them.

    log -> feed -> understand -> copies -> tallier -> root -> judge -> chronicler -> sink

Bound to Flink by `pipelines.flink`. Detection here is what a replay of the same log gives, to the byte.
"""
