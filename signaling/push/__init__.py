"""Push: messages to devices on which no page is open, through the push services of browsers and telephones.

`addresses.py` says where we may send, `web_push.py`, `fcm.py` and `apns.py` how each service wants it, `errors.py` what
their refusals mean, `sender.py` how many at once and when again, `rings.py` which device was rung for which offer."""
