"""Sends what is new to Slack, Teams and any other webhook: once, and without ever failing a sync.

news.py        compares what holds now (sql/notify) with what was sent before (the table cekura._told)
wording.py     news in sentences
message.py     a message in the form of each kind of receiver
receivers.py   addresses, and the sending itself
"""
