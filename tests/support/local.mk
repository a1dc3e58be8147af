# What tests share: the scripted service, raw peers.
