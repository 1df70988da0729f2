#!/bin/sh
# Starts coturn with turnserver.conf and what this machine adds to it. The secret goes into a file that only coturn can
# read: everybody can read a command line.
set -eu
umask 077

conf=${TURN_CONF:-/etc/coturn/turnserver.conf}
run=${TURN_RUN:-/run/coturn}
public=${TURN_ADDRESS%%/*}
own=${TURN_ADDRESS##*/}

{
  cat "$conf"
  echo "realm=$DOMAIN"
  echo "static-auth-secret=$TURN_SECRET"
  echo "listening-ip=$own"
  echo "relay-ip=$own"
  if [ "$public" != "$own" ]; then
    echo "external-ip=$public/$own"
    echo "allowed-peer-ip=$public"
  fi
  # The only peers: both ends of a call are allocations of this relay.
  echo "allowed-peer-ip=$own"
} > "$run/turnserver.conf"

unset TURN_SECRET
exec turnserver -c "$run/turnserver.conf"
