# What the minority changed is kept in a file of its own.
set -e
find /var/lib/hafen -name "cib-conflict-*.xml" | grep .
grep -l maintenance-mode $(find /var/lib/hafen -name "cib-conflict-*.xml")
