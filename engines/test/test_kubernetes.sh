#!/bin/sh
# Goal: the manifest is what the Kubernetes API takes, and what its pods call, in what the image holds, makes
# the rows of one sweep. Method: a schema of what the manifest may use, which has to refuse manifests with
# one thing wrong; then every pod's command is run here, without Kubernetes.
# shellcheck source=engines/test/common.sh
. engines/test/common.sh
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

need sqlite3 sqlite3
python=
for candidate in python3 /usr/bin/python3; do
    if [ -z "$python" ] && "$candidate" -c 'import jsonschema, yaml' 2>/dev/null; then
        python=$candidate
    fi
done
test -n "$python" || skip "no Python with jsonschema and yaml: apt-get install python3-jsonschema python3-yaml"

"$python" -B engines/test/kubernetes.py check

# The image has the libraries that the program is linked with, where this host names them as the image does.
if grep -q '^VERSION_ID="12"' /etc/os-release && command -v dpkg-query >/dev/null 2>&1; then
    for library in $(ldd "$BROWNOUT" | sed -n 's/.* => \(\/[^ ]*\) .*/\1/p'); do
        package=$(dpkg-query --search "*${library#/usr}" | sed -n '1s/:.*//p')
        test -n "$package" || fail "no package has $library"
        test "$package" = libc6 || grep -q "^  .* $package\( \|$\)" engines/Containerfile ||
            fail "engines/Containerfile does not install $package"
    done
fi

sweep_whole
"$python" -B engines/test/kubernetes.py copies . "$work/image"
mkdir "$work/runs"
expect_code 1 "$python" -B engines/test/kubernetes.py run "$work/image" "$work/runs" "$sweep"
expect_shards "$work/runs/sweep.db" 16 24
expect_same "$work/runs/sweep.db"
