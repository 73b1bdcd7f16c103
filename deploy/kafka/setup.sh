#!/bin/sh
# Creates the topics that nodes read, and their ACLs.
#
#     BROKERS=kafka:9092 ./setup.sh [TOPIC…]
#
# BIN is the directory of kafka-topics.sh and kafka-acls.sh; CONFIG a file of properties for them, such as
# the administrator's password. Running it again changes nothing.
set -eu

BROKERS=${BROKERS:-127.0.0.1:9092}
BIN=${BIN:-/opt/kafka/bin}
CONFIG=${CONFIG:-/dev/null}
PARTITIONS=${PARTITIONS:-12}
REPLICAS=${REPLICAS:-3}
READER=${READER:-User:tapecast}
WRITER=${WRITER:-User:collector}
# The value of checkpoints.topic; empty for none.
CHECKPOINTS=${CHECKPOINTS-tapecast-checkpoints}
[ $# -gt 0 ] || set -- tapecast

# An acknowledged record has to be on two brokers; with one replica that is impossible.
MIN_INSYNC=$((REPLICAS > 1 ? 2 : 1))

for topic in "$@"; do
    # retention.ms    how far a starting node can look back. A day, and longer than the longest
    #                 pause between two snapshots of an instrument.
    # cleanup.policy  deltas must not be compacted: each builds on the one before.
    # message.timestamp.type  the producer's time, which shows clients how old a message is.
    # compression.type  as the producer sent it: brokers need not recompress. Nodes read none, gzip,
    #                 snappy, lz4 and zstd.
    # max.message.bytes  kafka.max_record_bytes of a node; nodes would reject larger ones.
    # segment.ms      retention deletes whole segments; an hour keeps it close to retention.ms.
    "$BIN/kafka-topics.sh" --bootstrap-server "$BROKERS" --command-config "$CONFIG" \
        --create --if-not-exists --topic "$topic" \
        --partitions "$PARTITIONS" --replication-factor "$REPLICAS" \
        --config retention.ms=86400000 \
        --config segment.ms=3600000 \
        --config cleanup.policy=delete \
        --config message.timestamp.type=CreateTime \
        --config compression.type=producer \
        --config max.message.bytes=4194304 \
        --config min.insync.replicas="$MIN_INSYNC"

    # Nodes read and describe. They join no group, commit nothing, and create no topics.
    "$BIN/kafka-acls.sh" --bootstrap-server "$BROKERS" --command-config "$CONFIG" \
        --add --allow-principal "$READER" --topic "$topic" --operation Read --operation Describe

    # Collectors write, and describe to find the partitions.
    "$BIN/kafka-acls.sh" --bootstrap-server "$BROKERS" --command-config "$CONFIG" \
        --add --allow-principal "$WRITER" --topic "$topic" --operation Write --operation Describe
done

if [ -n "$CHECKPOINTS" ]; then
    # cleanup.policy  the last checkpoint of every instrument is all that is needed.
    # partitions      one: the order among instruments matters.
    # min.cleanable.dirty.ratio, segment.ms  compacted soon, so that a start reads little more than one per instrument.
    # max.message.bytes  a book of 60,000 levels per side, and everything kept with it.
    "$BIN/kafka-topics.sh" --bootstrap-server "$BROKERS" --command-config "$CONFIG" \
        --create --if-not-exists --topic "$CHECKPOINTS" \
        --partitions 1 --replication-factor "$REPLICAS" \
        --config cleanup.policy=compact \
        --config min.cleanable.dirty.ratio=0.1 \
        --config segment.ms=600000 \
        --config max.message.bytes=8388608 \
        --config min.insync.replicas="$MIN_INSYNC"

    # Nodes read it, and those with checkpoints.write_every write it.
    "$BIN/kafka-acls.sh" --bootstrap-server "$BROKERS" --command-config "$CONFIG" \
        --add --allow-principal "$READER" --topic "$CHECKPOINTS" \
        --operation Read --operation Write --operation Describe
fi
