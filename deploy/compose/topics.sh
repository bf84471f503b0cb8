#!/bin/sh
# Makes the topics: raw ones, canonical ones, and dead letters, which are kept longer than what they came of. Runs once, in
# the broker's image; what is there already is left as it is.
set -eu
topics=${KAFKA_TOPICS:-/opt/kafka/bin/kafka-topics.sh}

make() {
    name=$1
    shift
    $topics --bootstrap-server "$KAFKA_BROKERS" --create --if-not-exists --topic "$name" --partitions 4 --replication-factor 1 "$@"
}

week=604800000
for vendor in bspk spree composer bold; do
    make "raw.$vendor" --config "retention.ms=$week"
    make "dlq.raw.$vendor" --config "retention.ms=$((4 * week))"
done
for entity in customer cart order product; do
    # Never compacted: a record may tell of a part of its entity only.
    make "commerce.$entity.v1" --config "retention.ms=$((4 * week))" --config cleanup.policy=delete
done
