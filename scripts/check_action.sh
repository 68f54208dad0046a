#!/usr/bin/env bash
# What action.yml runs: dsv3calc check, with annotations for GitHub. The inputs of the action come
# as INPUT_FILES, INPUT_ONLY and INPUT_ARGS; of files and options one stands on each line.
set -euo pipefail

command=(dsv3calc check --format github)
[ -z "${INPUT_ONLY:-}" ] || command+=(--only "$INPUT_ONLY")
while IFS= read -r line; do
  # trim: an indented block of YAML keeps its spaces
  read -r line <<< "$line"
  [ -z "$line" ] || command+=("$line")
done <<< "${INPUT_ARGS:-}"
command+=(--)
count=${#command[@]}
while IFS= read -r line; do
  read -r line <<< "$line"
  [ -z "$line" ] || command+=("$line")
done <<< "${INPUT_FILES:-}"
if [ "${#command[@]}" -eq "$count" ]; then
  echo "::error::no golden file is named: give the input files" >&2
  exit 2
fi
exec "${command[@]}"
