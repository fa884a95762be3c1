"""A client of python-socketio, as its documentation has it. Says what happens to it, one line each."""
import json
import sys
import threading
import urllib.request

import socketio

socket_url, auth_url, transports = sys.argv[1:4]
said = threading.Lock()
cursors = {}


def say(what, **fields):
    with said:
        print(json.dumps({"what": what, **fields}), flush=True)


def auth():
    with urllib.request.urlopen(auth_url) as answer:
        token = answer.read().decode()
    return {"token": token, "cursors": dict(cursors)}


client = socketio.Client(reconnection_delay=0.2, reconnection_delay_max=0.5)


@client.on("connect", namespace="/chat")
def connect():
    say("connect")


@client.on("disconnect", namespace="/chat")
def disconnect():
    say("disconnect")


@client.on("*", namespace="/chat")
def any_event(event, payload):
    chat_id, number = payload.get("chatId"), payload.get("eventSequence")
    if event == "chat.created":
        chat_id, number = payload["chat"]["id"], payload["chat"]["eventSequence"]
    # Each event has a thread of its own.
    with said:
        if chat_id and number:
            cursors[chat_id] = max(number, cursors.get(chat_id, 0))
    content = payload["message"]["content"] if "message" in payload else None
    say("event", event=event, content=content)


client.connect(socket_url, transports=transports.split(","), namespaces=["/chat"], auth=auth, wait_timeout=10)
client.wait()
