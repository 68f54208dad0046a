#!/usr/bin/env bash
# What action.yml runs: dsv3calc check, with annotations for GitHub. The inputs of the action come
# as INPUT_FILES, INPUT_ONLY and INPUT_ARGS; of files and options one stands on each line.
set -euo pipefail

command=(dsv3calc check --format github)
# a text made on Windows has CR LF
only=${INPUT_ONLY:-} args=${INPUT_ARGS:-} files=${INPUT_FILES:-}
only=${only//$'\r'/} args=${args//$'\r'/} files=${files//$'\r'/}
[ -z "$only" ] || command+=(--only "$only")
# read takes the spaces of an indented block of YAML away
while read -r line; do
  case "$line" in
    --help | -h*)
      echo "::error::args: $line prints the help and checks nothing: leave it out" >&2
      exit 2
      ;;
    ?*) command+=("$line") ;;
  esac
done <<< "$args"
command+=(--)
count=${#command[@]}
while read -r line; do
  [ -z "$line" ] || command+=("$line")
done <<< "$files"
if [ "${#command[@]}" -eq "$count" ]; then
  echo "::error::no golden file is named: give the input files" >&2
  exit 2
fi
exec "${command[@]}"
