#!/usr/bin/env bash
# Gets everything foreign that the suites talk to or talk with: Apache Kafka's jars (Maven), a Python environment
# (PyPI), node_modules (npm), kcat, strace and a million lines of text (Debian). Everything lands in $MILENA_CACHE, outside the
# checkout, in folders named by a hash of what they were made from; a folder that is there is complete, because it is
# renamed into place last. So a second run does nothing, and a bumped version installs beside the old one.
#
#   install.sh [kafka] [java] [python] [node] [kcat] [strace] [text]     (nothing named: all)
#
# Prints `name=path` lines, which the Go side reads.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
cache=${MILENA_CACHE:-$HOME/.cache/milena}
# shellcheck source=/dev/null
. "$here/../versions.env"
mkdir -p "$cache"

key() { cat "$@" | sha256sum | cut -c1-12; }

# finish DIR runs "$@" with $part as its working folder and gives it the final name only when it succeeded.
finish() {
  local final=$1; shift
  [ -d "$final" ] && return
  part=$final.part.$$
  rm -rf "$part"; mkdir -p "$part"
  "$@" >&2
  mv -T "$part" "$final" 2>/dev/null || { [ -d "$final" ] && rm -rf "$part"; }
}

jars() { # the jars of the pom with the slf4j binding $1, into folder $2
  mvn -q -B -f "$here/pom.xml" "-Dkafka.version=$KAFKA_VERSION" "-Dscala.version=$SCALA_VERSION" \
    "-Dslf4j.version=$SLF4J_VERSION" "-Dslf4j.binding=$1" dependency:copy-dependencies "-DoutputDirectory=$part/$2"
}

make_kafka() { # slf4j-nop keeps the tools' output clean; the broker's own log lines need slf4j-simple. Never both.
  jars slf4j-nop lib
  mkdir "$part/nop" "$part/simple"
  mv "$part"/lib/slf4j-nop-*.jar "$part/nop"
  jars slf4j-simple simple.all
  mv "$part"/simple.all/slf4j-simple-*.jar "$part/simple"
  rm -r "$part/simple.all"
}

make_java() { # the driver of the Java client
  javac --release 17 -cp "$kafka/lib/*" -d "$part" "$here"/../drivers/java/*.java
}

make_python() {
  python3 -m venv "$part"
  "$part/bin/python" -m pip install -q "confluent-kafka==$CONFLUENT_KAFKA_PYTHON_VERSION" \
    "aiokafka==$AIOKAFKA_VERSION" "cramjam==$CRAMJAM_VERSION"
}

make_node() {
  (cd "$part" && npm init -y >/dev/null && npm install --silent --no-fund --no-audit "kafkajs@$KAFKAJS_VERSION" \
    "kafkajs-snappy@$KAFKAJS_SNAPPY_VERSION" "lz4-napi@$LZ4_NAPI_VERSION" "zstd-codec@$ZSTD_CODEC_VERSION")
}

index() { # the packages that Debian offers, in lists of our own: neither the machine's nor root are needed
  mkdir -p "$part/lists/partial" "$part/cache"
  apt=(-o "Dir::State::Lists=$part/lists" -o "Dir::Cache=$part/cache" -o APT::Sandbox::User=)
  apt-get "${apt[@]}" update -qq
}

unpack() { # Debian's packages, not installed
  index
  (cd "$part" && apt-get "${apt[@]}" download "$@" >/dev/null && for deb in *.deb; do dpkg -x "$deb" . && rm "$deb"; done)
  rm -r "$part/lists" "$part/cache"
}

make_kcat() { unpack kcat librdkafka1 libyajl2 libsasl2-2 liblz4-1 libzstd1; }

make_strace() { unpack strace libunwind8; }

make_text() { # the first million non-empty lines of Debian's package index: real text, long and short lines, UTF-8
  index
  apt-get "${apt[@]}" indextargets --format '$(FILENAME)' 'Created-By: Packages' | sort >"$part/files"
  while read -r file; do
    [ ! -e "$file" ] || /usr/lib/apt/apt-helper "${apt[@]}" cat-file "$file"
  done <"$part/files" | { grep -av '^$' || true; } | { head -n 1000000; cat >/dev/null; } >"$part/text"
  rm -r "$part/lists" "$part/cache"
  [ "$(wc -l <"$part/text")" -eq 1000000 ]
}

kafka=$cache/kafka-$KAFKA_VERSION-$(key "$here/pom.xml" "$here/install.sh")
for what in "${@:-kafka java python node kcat strace text}"; do for one in $what; do
  case $one in
  kafka) finish "$kafka" make_kafka; echo "kafka=$kafka" ;;
  java)
    finish "$kafka" make_kafka
    java=$cache/java-$KAFKA_VERSION-$(key "$here"/../drivers/java/*.java)
    finish "$java" make_java; echo "java=$java" ;;
  python)
    python=$cache/python-$(key "$here/../versions.env" "$here/install.sh")
    finish "$python" make_python; echo "python=$python" ;;
  node)
    node=$cache/node-$(key "$here/../versions.env" "$here/install.sh")
    finish "$node" make_node; echo "node=$node" ;;
  kcat)
    if command -v kcat >/dev/null; then echo "kcat=$(command -v kcat)"; continue; fi
    kcat=$cache/kcat-$(dpkg --print-architecture)
    finish "$kcat" make_kcat; echo "kcat=$kcat/usr/bin/kcat" ;;
  strace)
    if command -v strace >/dev/null; then echo "strace=$(command -v strace)"; continue; fi
    strace=$cache/strace-$(dpkg --print-architecture)
    finish "$strace" make_strace; echo "strace=$strace/usr/bin/strace" ;;
  text)
    text=$cache/text-$(. /etc/os-release && echo "$VERSION_CODENAME")-$(dpkg --print-architecture)
    finish "$text" make_text; echo "text=$text/text" ;;
  *) echo "install.sh: nothing is called $one" >&2; exit 2 ;;
  esac
done; done
