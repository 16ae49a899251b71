"""A consumer and producer on pika. It shows bodies and properties as they are."""

import queue
import threading

import pika
from lines import SETUP, bytes_of, received, serve

GROUP = SETUP["group"]


def connect():
    connection = pika.BlockingConnection(pika.URLParameters(SETUP["url"]))
    channel = connection.channel()
    channel.exchange_declare(GROUP, "direct", durable=True)
    return connection, channel


def consume(events, subscribed):
    # A connection belongs to one thread.
    _, channel = connect()

    def on_message(channel, method, properties, body):
        shown = {name: value for name, value in vars(properties).items() if value is not None}
        received(method.routing_key, body, shown)
        channel.basic_ack(method.delivery_tag)

    for event in events:
        name = f"{GROUP}:{event}"
        channel.queue_declare(name, durable=True)
        channel.queue_bind(name, GROUP, event)
        channel.basic_consume(name, on_message)
    subscribed.put(None)
    channel.start_consuming()


def subscribe(events):
    subscribed = queue.Queue()
    threading.Thread(target=consume, args=(events, subscribed), daemon=True).start()
    subscribed.get()


def publish(event, body=None, bytes=None):
    connection, channel = connect()
    channel.confirm_delivery()
    channel.basic_publish(GROUP, event, bytes_of(body, bytes))
    connection.close()


serve({"subscribe": subscribe, "publish": publish})
