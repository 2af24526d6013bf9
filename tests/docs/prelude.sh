# What stands before the commands of every page: the first that fails ends the run.
set -euo pipefail
exec > .output
PS4='+ '
set -x

# atlas METHOD PATH [BODY] — the simulator's control interface, by hand.
atlas() {
    { set +x; } 2> /dev/null
    local host=${ATLAS%:*} port=${ATLAS##*:} body=${3:-}
    exec 3<> "/dev/tcp/$host/$port"
    printf '%s /control/%s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s' \
        "$1" "$2" "$ATLAS" "${#body}" "$body" >&3
    sed '1,/^\r$/d' <&3
    exec 3>&-
    set -x
}

# atlas_holds N — fails unless Atlas holds N endpoints of serverless instances.
atlas_holds() {
    local found
    found=$(atlas GET endpoints | grep -c '"_id"' || true)
    [ "$found" -eq "$1" ] || { echo "Atlas holds $found endpoints, not $1" >&2; return 1; }
}

# shows TEXT COMMAND… — fails unless the command's output contains the text; hides TEXT COMMAND… — the opposite.
shows() { [[ $("${@:2}") == *"$1"* ]] || { echo "$1 is not in the output of ${*:2}" >&2; return 1; }; }
hides() { [[ $("${@:2}") != *"$1"* ]] || { echo "$1 is in the output of ${*:2}" >&2; return 1; }; }

# eventually COMMAND… — waits until it succeeds, a minute at most.
eventually() {
    { set +x; } 2> /dev/null
    local end=$((SECONDS + 60))
    until "$@" > .eventually 2>&1; do
        [ "$SECONDS" -lt "$end" ] || { echo "never: $*" >&2; cat .eventually >&2; return 1; }
        sleep 0.2
    done
    set -x
}

# reason_is NAME REASON [CONDITION] — fails unless the condition has this reason. Without a kind (pe/orders) it is about an spe.
reason_is() {
    local object=$1
    [[ $object == */* ]] || object=spe/$object
    [ "$(kubectl get "$object" --output "jsonpath={.status.conditions[?(@.type==\"${3:-Ready}\")].reason}")" = "$2" ]
}

# aws_has ID SERVICE — makes a VPC endpoint for the service of this name in the user's cloud.
aws_has() { atlas POST vpc-endpoints "{\"id\": \"$1\", \"service_name\": \"$2\"}"; }

# service_name NAME — the name in AWS of the service that the PrivateEndpointService declares.
service_name() { kubectl get pesvc "$1" --output jsonpath='{.status.endpointServiceName}'; }

# is_observed KIND/NAME — fails unless the status is about the latest generation.
is_observed() {
    [ "$(kubectl get "$1" --output jsonpath='{.metadata.generation}')" = "$(kubectl get "$1" --output jsonpath='{.status.observedGeneration}')" ]
}

# atlas_writes — the number of requests other than reads that Atlas has executed.
atlas_writes() { atlas GET 'journal?executed=true' | grep -cE '"method": "(POST|PATCH|DELETE)"' || true; }

# The key, as every page but those on keys finds it.
make_key() {
    kubectl "$@" create secret generic atlas-api \
        --from-literal=publicApiKey="$ATLAS_PUBLIC_KEY" --from-literal=privateApiKey="$ATLAS_PRIVATE_KEY"
}
