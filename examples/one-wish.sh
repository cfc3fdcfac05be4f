#!/usr/bin/env bash
# One wish, taken by hand from posting to goods in hand.
#
#   linli serve &                                   # on a database with datasets/station in it
#   LINLI=./target/debug/linli examples/one-wish.sh
#
# Needs curl. LINLI is the program, SERVER_URL the server's address; the settings of the database (LINLI_DATABASE_URL and so
# on) must be the server's own, because accounts and tokens are made by the program itself. Ends with 0 only if every step
# answered what it should and the books are in order.
set -euo pipefail

LINLI=${LINLI:-linli}
API=${SERVER_URL:-http://127.0.0.1:8080}/api/v1
STREET=130202009         # 梁家屯路街道
RESIDENT=M0000001        # lives in 130202009010
VOLUNTEER=M0000683       # lives in the same street, has served before

say() { printf '\n== %s\n' "$*"; }

# The text of the first field of that name in the answer on standard input.
field() { grep -o "\"$1\":\"[^\"]*\"" | head -n 1 | cut -d '"' -f 4; }

# call STATUS TOKEN METHOD PATH [BODY]: asks, shows the answer, insists on the status. POSTs carry a key of their own.
call() {
  local want=$1 token=$2 method=$3 path=$4 body=${5-} answer status
  local args=(-sS -X "$method" -H "Authorization: Bearer $token" -w '\n%{http_code}')
  [ "$method" = GET ] || args+=(-H "Idempotency-Key: $(cat /proc/sys/kernel/random/uuid)" -H 'Content-Type: application/json' -d "${body:-{\}}")
  answer=$(curl "${args[@]}" "$API$path")
  status=${answer##*$'\n'}
  answer=${answer%$'\n'*}
  printf '%s %s -> %s\n%s\n' "$method" "$path" "$status" "$answer" >&2
  [ "$status" = "$want" ] || { echo "expected $want" >&2; exit 1; }
  printf '%s' "$answer"
}

# A console account that outlives the script, and a token for it.
staff() {
  echo "one-wish-$(cat /proc/sys/kernel/random/uuid)" | "$LINLI" staff add "$@" --region "$STREET" --password-stdin >&2
  "$LINLI" token staff "$1" | cut -d ' ' -f 2
}

member() { "$LINLI" token members --region "$STREET" --limit 1000 | grep "^$1 " | cut -d ' ' -f 2; }

at() { date -u -d "$1" +%Y-%m-%dT%H:%M:%SZ; }

say '准备：两位居民、一位社区工作者、一位驿站工作人员'
resident=$(member "$RESIDENT")
volunteer=$(member "$VOLUNTEER")
run=$(date +%s)
manager=$(staff "manager-$run" --role manager)
station=$(curl -sS "$API/stations?region=$STREET&limit=1" | field id)
clerk=$(staff "clerk-$run" --role clerk --station "$station")
before=$(call 200 "$volunteer" GET /me/points | field balance)

say '居民提出心愿'
wish=$(call 201 "$resident" POST /wishes "{\"title\":\"想请人帮忙搬旧沙发\",\"body\":\"三楼，没有电梯，两个人就够。\",
  \"category\":\"neighbourly\",\"window\":{\"from\":\"$(at '-90 minutes')\",\"until\":\"$(at '+2 hours')\"},
  \"place\":{\"lat\":39.638,\"lon\":118.168,\"address\":\"3号楼2单元301\"}}" | field id)

say '社区审核并发布，写明风险提示'
task=$(call 200 "$manager" POST "/wishes/$wish/review" '{"decision":"publish","risk_notice":"搬运重物注意腰部，建议两人同行"}' | field task_id)

say '志愿者看到任务并认领'
call 200 "$volunteer" GET "/tasks?status=open&region=$STREET" >/dev/null
claim=$(call 201 "$volunteer" POST "/tasks/$task/claims" | field id)

say '驿站按到场时间签到，志愿者用现场二维码签退'
call 200 "$clerk" POST "/claims/$claim/check-in" "{\"at\":\"$(at '-75 minutes')\"}" >/dev/null
code=$(call 200 "$clerk" GET "/tasks/$task/check-in-code" | field code)
record=$(call 200 "$volunteer" POST "/claims/$claim/check-out" "{\"code\":\"$code\"}" | field service_record_id)

say '居民确认并评价，社区核实时长'
call 200 "$resident" POST "/wishes/$wish/confirmation" '{"rating":5,"comment":"又快又好，谢谢！"}' >/dev/null
points=$(call 200 "$manager" POST "/service-records/$record/verification" '{"decision":"verify"}' | field points)
after=$(call 200 "$volunteer" GET /me/points | field balance)
echo "积分 $before + $points = $after"
[ "$(echo "$before + $points == $after" | tr -d ' ' | { IFS= read -r sum; awk "BEGIN { print ($sum) ? 1 : 0 }"; })" = 1 ]

say '驿站上架一件兑换品，志愿者预订，凭码领取'
goods=$(call 201 "$manager" POST /goods "{\"name\":\"大米500克\",\"station_id\":\"$station\",\"points\":\"2.00\",\"per_member_limit\":1}" | field id)
call 201 "$clerk" POST "/goods/$goods/stock-movements" '{"quantity":10,"reason":"receipt"}' >/dev/null
code=$(call 201 "$volunteer" POST /redemptions "{\"goods_id\":\"$goods\",\"quantity\":1}" | field code)
call 200 "$clerk" POST /redemptions/fulfilments "{\"code\":\"$code\"}" >/dev/null

say '排行榜上看得到，账目对得上'
call 200 "$volunteer" GET "/rankings?board=members&metric=points&region=$STREET&period=all&limit=3" >/dev/null
"$LINLI" verify >&2
say '完成：心愿实现，积分到账，大米到手'
