#!/usr/bin/env bash
# Make everything that Hortus needs on AWS and release one image to it; repeat it for every release.
#   IMAGE=… CERTIFICATE_ARN=… PUBLIC_URL=https://app.example.com AWS_REGION=… deploy/ecs/deploy.sh
#   deploy/ecs/deploy.sh --dry-run          validates the template and shows what would change; changes nothing
# The first run creates the stack (about 20 minutes). Every run migrates the database with the new image and stops there if
# that fails: the services go on with the image they have.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
dry_run=
[ "${1:-}" = --dry-run ] && dry_run=1
needed=(IMAGE CERTIFICATE_ARN PUBLIC_URL AWS_REGION)
for name in "${needed[@]}"; do
    if [ -z "${!name:-}" ]; then
        echo "Set $name. Needed are: ${needed[*]}; STACK and VENDOR_SECRET_ARN may be set" >&2
        exit 2
    fi
done
stack=${STACK:-hortus}
cloudformation() { aws cloudformation "$@" --region "$AWS_REGION"; }

output() { # the value of one output of the stack
    cloudformation describe-stacks --stack-name "$stack" --output text \
        --query "Stacks[0].Outputs[?OutputKey=='$1'].OutputValue"
}

change() { # bring the stack to these parameters; others keep the values they have
    cloudformation deploy --stack-name "$stack" --template-file "$here/stack.yaml" --capabilities CAPABILITY_IAM \
        --no-fail-on-empty-changeset --parameter-overrides "CertificateArn=$CERTIFICATE_ARN" "PublicUrl=$PUBLIC_URL" \
        "VendorSecretArn=${VENDOR_SECRET_ARN:-}" "$@"
}

cloudformation validate-template --template-body "file://$here/stack.yaml" --query Description --output text
exists=
if cloudformation describe-stacks --stack-name "$stack" --query 'Stacks[0].StackStatus' --output text >/dev/null 2>&1; then
    exists=1
fi
if [ -n "$dry_run" ]; then
    echo "Would $([ -n "$exists" ] && echo update || echo create) the stack $stack, migrate with $IMAGE, and roll the services"
    [ -z "$exists" ] || change "MigrationImage=$IMAGE" "Image=$IMAGE" --no-execute-changeset
    exit 0
fi

if [ -n "$exists" ]; then
    change "MigrationImage=$IMAGE"
else
    echo "Creating the stack $stack"
    change "MigrationImage=$IMAGE" "Image=$IMAGE" ServerCount=0 WorkerCount=0 SchedulerCount=0
fi

echo "Migrating with $IMAGE"
cluster=$(output ClusterName)
task=$(aws ecs run-task --region "$AWS_REGION" --cluster "$cluster" --launch-type FARGATE \
    --task-definition "$(output MigrateTaskDefinition)" --network-configuration \
    "awsvpcConfiguration={subnets=[$(output Subnets)],securityGroups=[$(output SecurityGroup)],assignPublicIp=DISABLED}" \
    --query 'tasks[0].taskArn' --output text)
aws ecs wait tasks-stopped --region "$AWS_REGION" --cluster "$cluster" --tasks "$task"
code=$(aws ecs describe-tasks --region "$AWS_REGION" --cluster "$cluster" --tasks "$task" \
    --query 'tasks[0].containers[0].exitCode' --output text)
if [ "$code" != 0 ]; then
    echo "The migration ended with $code; no service was changed. Its log is in $(output LogGroup), stream migrate." >&2
    exit 1
fi

echo "Rolling the services"
if [ -n "$exists" ]; then
    change "Image=$IMAGE"
else
    change "Image=$IMAGE" "ServerCount=${SERVERS:-2}" "WorkerCount=${WORKERS:-1}" SchedulerCount=1
fi
echo "Released $IMAGE. Point the host of $PUBLIC_URL at $(output Address)."
