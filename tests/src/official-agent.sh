# Runs amazon-ssm-agent as the first process of private mount and PID namespaces (see agent.rs).
set -euo pipefail

# Copy-on-write views of the folders that the agent insists on; they vanish with the namespace.
mount -t tmpfs -o mode=0755 tmpfs /mnt
for folder in etc var/lib var/log; do
    upper=/mnt/upper-${folder//\//-} work=/mnt/work-${folder//\//-}
    mkdir "$upper" "$work"
    mount -t overlay overlay -o "lowerdir=/$folder,upperdir=$upper,workdir=$work" "/$folder"
done
for folder in /etc/amazon /var/lib/amazon /var/log/amazon; do
    mkdir -p "$folder"
    mount -t tmpfs -o mode=0755 tmpfs "$folder"
    mkdir -m 0755 "$folder/ssm"
done
mount --bind "$AGENT_LOG" /var/log/amazon/ssm
umount --lazy /mnt

umask 022
cat >/etc/amazon/ssm/amazon-ssm-agent.json <<JSON
{"Profile": {"ShareCreds": false},
 "Mds": {"Endpoint": "$API_URL"}, "Ssm": {"Endpoint": "$API_URL"}, "Kms": {"Endpoint": "$API_URL"},
 "Mgs": {"Region": "us-east-1", "Endpoint": "$GATEWAY_URL"},
 "Agent": {"Region": "us-east-1", "ContainerMode": true, "TelemetryMetricsToSSM": false},
 "Identity": {"ConsumptionOrder": ["CustomIdentity"],
   "CustomIdentities": [{"InstanceID": "$AGENT_NODE", "Region": "us-east-1", "CredentialsProvider": "DEFAULT"}]}}
JSON
cat >/etc/amazon/ssm/seelog.xml <<'XML'
<seelog type="sync" minlevel="info">
  <outputs formatid="line">
    <rollingfile type="size" filename="/var/log/amazon/ssm/amazon-ssm-agent.log" maxsize="30000000" maxrolls="3"/>
    <filter levels="error,critical" formatid="line">
      <rollingfile type="size" filename="/var/log/amazon/ssm/errors.log" maxsize="10000000" maxrolls="1"/>
    </filter>
  </outputs>
  <formats><format id="line" format="%Date %Time %LEVEL [%FuncShort @ %File.%Line] %Msg%n"/></formats>
</seelog>
XML

cd /
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
    SSL_CERT_FILE="$GATEWAY_CA" NO_PROXY=127.0.0.1,localhost \
    AWS_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true \
    AWS_ACCESS_KEY_ID=AKIDEXAMPLE0000000000 AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY00 \
    "$AGENT_PROGRAMS/amazon-ssm-agent"
