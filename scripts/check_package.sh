#!/usr/bin/env bash
# Checks the wheel and the source archive in a folder as users get them:
#   scripts/check_package.sh dist
# What the tools say of them (twine, check-wheel-contents), and the program by uvx and by pipx run,
# with the wheel from a local index. The tools come from the path.
set -euo pipefail

dist=$(cd "${1:?the folder with the wheel and the source archive}" && pwd)
wheel=$(ls "$dist"/dsv3calc-*.whl)
source=$(ls "$dist"/dsv3calc-*.tar.gz)
work=$(mktemp -d "${TMPDIR:-/tmp}/dsv3calc-package.XXXXXX")
trap 'rm -rf "$work"' EXIT
version=$(basename "$wheel" | cut -d- -f2)

twine check --strict "$wheel" "$source"
check-wheel-contents "$wheel"

# what a reader of the source archive needs, and what the wheel must have
tar -tzf "$source" | sed 's,^[^/]*/,,' > "$work/source.txt"
for name in README.md LICENSE CHANGELOG.md docs/README.md tests/conftest.py presets/models/deepseek-v3.yaml; do
  grep -qx "$name" "$work/source.txt" || { echo "the source archive lacks $name" >&2; exit 1; }
done
python3 -m zipfile -l "$wheel" > "$work/wheel.txt"
for name in dsv3calc/SKILL.md dsv3calc/py.typed dsv3calc/data/presets.msgpack; do
  grep -q "^$name " "$work/wheel.txt" || { echo "the wheel lacks $name" >&2; exit 1; }
done

# a local index by the simple interface of packages: a folder for each name
mkdir -p "$work/index/dsv3calc" "$work/elsewhere"
cp "$wheel" "$work/index/dsv3calc/"
file=$(basename "$wheel")
printf '<!DOCTYPE html><a href="%s">%s</a>\n' "$file" "$file" > "$work/index/dsv3calc/index.html"
cd "$work/elsewhere"
expected=68.62
uvx --no-cache --index "file://$work/index" --from "dsv3calc==$version" dsv3calc kv deepseek-v3 |
  grep -F "$expected"
PIPX_HOME="$work/pipx" pipx run --no-cache --spec "$wheel" dsv3calc kv deepseek-v3 |
  grep -F "$expected"
echo "the package is as users need it: $file, $(basename "$source")"
