"""A broker that can be stopped, killed and started again under transactions. It has a controller of its own, which stays.

Kafka 4.3 takes a partition without a leader for one that was deleted when it ends a transaction: it writes no marker, and the
transaction hangs there for good (docs/reliability.md). A broker alone that is its own controller lives without leaders for a moment at
each restart: in its controlled shutdown or, without that, when it comes back and believes at first that it still leads. Here it
stops without a controlled shutdown, and does not come back before the controller has taken its leaderships away.
"""
import re

from support import servers, wait_for

# What a broker logs that forgets to end a transaction.
FORGETS = "Couldn't find leader endpoint for partitions"


def settings(**instead):
    """The settings of the tests' broker, some of them others, or (None) left out; names have _ for a dot."""
    instead = {name.replace("_", "."): value for name, value in instead.items()}
    lines = [line for line in servers.SERVER_PROPERTIES.splitlines() if line.partition("=")[0] not in instead]
    return "\n".join([*lines, *(f"{name}={value}" for name, value in instead.items() if value is not None)]) + "\n"


class Controller(servers.Kafka):
    def write_properties(self):
        text = settings(process_roles="controller", listeners="CONTROLLER://127.0.0.1:{port}", advertised_listeners=None,
                        inter_broker_listener_name=None, controller_quorum_voters="1@127.0.0.1:{port}")
        self.properties.write_text(text.format(port=self.port, data=self.dir / "data"))

    def dethroned(self):
        """How often it has taken the broker's leaderships away."""
        return len(re.findall(r"BrokerRegistrationChangeRecord\(brokerId=2, brokerEpoch=\d+, fenced=1", self.log.read_text(errors="replace")))


class Broker(servers.Kafka):
    def __init__(self, directory):
        self.controller = Controller(directory.with_name("controller"))
        self.dethroned = None
        super().__init__(directory)

    def cluster(self):
        return re.search(r"cluster.id=(\S+)", (self.controller.dir / "data" / "meta.properties").read_text())[1]

    def write_properties(self):
        text = settings(process_roles="broker", node_id="2", listeners="PLAINTEXT://127.0.0.1:{port}", controlled_shutdown_enable="false")
        self.properties.write_text(text.format(port=self.port, controller=self.controller.port, data=self.dir / "data"))

    def stop(self):
        self.dethroned = self.controller.dethroned()
        super().stop()

    def kill(self):
        self.dethroned = self.controller.dethroned()
        super().kill()

    def launch(self):
        if not self.controller.process:
            self.controller.launch()
        else:
            wait_for(lambda: self.controller.dethroned() > self.dethroned, "the controller has seen the broker go", 120, 0.2)
        super().launch()

    def forgot(self):
        """How many transactions it forgot to end."""
        return self.log.read_text(errors="replace").count(FORGETS)

    def end(self):
        """The end of both."""
        self.kill()
        self.controller.kill()
