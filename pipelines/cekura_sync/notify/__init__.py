"""What is new, told to Slack, Teams and any other webhook: once, and never as a reason for a sync to fail.

news.py        what holds now (sql/notify) against what was told before (the table cekura._told)
wording.py     news in sentences
message.py     a message as each kind of receiver takes it
receivers.py   addresses, and the sending itself
"""
