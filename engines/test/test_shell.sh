#!/bin/sh
# Goal: the scripts of engines are what shellcheck and POSIX want.
# shellcheck source=engines/test/common.sh
. engines/test/common.sh
trap 'rm -rf "$work"' EXIT

need shellcheck shellcheck
shellcheck --external-sources engines/*.sh engines/slurm.sbatch engines/test/*.sh
