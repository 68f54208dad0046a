#!/usr/bin/env bash
# Writes presets/goldens/self/ again: the numbers of every shipped model, and the traffic of
# DeepSeek-V3 on two layouts, as this version computes them. For a new model or a new quantity; a number that moved is updated by
# `dsv3calc check presets/goldens/self --update`, which says why it moved.
# Usage: scripts/snapshot_self.sh [FOLDER]
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
folder=${1:-$root/presets/goldens/self}
mkdir -p "$folder"

dsv3calc presets list models --names | while IFS= read -r model; do
  dsv3calc snapshot \
    "params $model" \
    "flops $model --phase train --seq 4096" \
    "flops $model --phase decode --context 8192" \
    "kv $model --context 32768" \
    --quantity parameters.total --quantity parameters.active --quantity weights.bytes \
    --quantity flops.total \
    --quantity kv_cache.bytes_per_token --quantity kv_cache.bytes \
    -o "$folder/$model.yaml" --force
done

dsv3calc snapshot \
  "memory deepseek-v3 --layout v3-pretrain --hardware h800" \
  "memory deepseek-v3 --layout v3-pretrain --hardware h800 --with-mtp" \
  "memory deepseek-v3 --layout v3-pretrain --hardware h800 --as megatron" \
  "memory llama-3.1-405b --layout llama-3.1-405b-pretrain --hardware h100 --seq 8192" \
  --quantity memory.worst.activations --quantity memory.worst.total --quantity memory.fits \
  -o "$folder/memory.yaml" --force

dsv3calc snapshot \
  "memory deepseek-v3 --serve --layout day6-decode-ep144 --hardware h800 --context 4989 --batch 88" \
  "memory deepseek-v3 --serve --layout day6-prefill-ep32 --hardware h800 --pass-tokens 16384" \
  "memory deepseek-v3 --serve --layout v3-decode-ep320 --hardware h800 --context 4989 --batch 88" \
  "memory deepseek-v3 --serve --layout v3-prefill-ep32 --hardware h800" \
  "memory llama-3.1-405b --serve --layout dense-tp8 --hardware h200 --context 32768" \
  --quantity serving.weights --quantity serving.kv_tokens --quantity serving.max_sequences \
  -o "$folder/serving.yaml" --force

dsv3calc snapshot \
  "traffic deepseek-v3 --layout v3-pretrain --hardware h800" \
  "traffic deepseek-v3 --layout day6-decode-ep144 --pass-tokens 128 --hardware h800" \
  --quantity traffic.copies_per_token.gpu --quantity traffic.copies_per_token.node \
  --quantity traffic.remote_copies_per_token.node \
  --quantity traffic.dispatch.scale_out_bytes_per_token \
  --quantity traffic.combine.scale_out_bytes_per_token \
  --quantity traffic.time_per_layer --quantity traffic.step.scale_out_bytes \
  --quantity traffic.collectives.data_parallel.scale_out_bytes \
  --quantity traffic.random_routing.imbalance --quantity traffic.distinct_experts_per_gpu \
  -o "$folder/traffic.yaml" --force
