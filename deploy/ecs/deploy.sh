#!/usr/bin/env bash
# Release one image to ECS: migrate first and stop if that fails, then roll the services and wait until they are stable.
# The cluster, its services hortus-api, hortus-worker and hortus-scheduler, the load balancer (health check
# /health/ready), EFS, database and Redis exist already; docs/DEPLOYING.md lists what each needs.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
needed=(IMAGE CLUSTER AWS_REGION SUBNETS SECURITY_GROUPS EXECUTION_ROLE_ARN TASK_ROLE_ARN SECRET_ARN EFS_ID
        EFS_ACCESS_POINT_ID VPC_CIDR PUBLIC_URL)
for name in "${needed[@]}"; do
    if [ -z "${!name:-}" ]; then
        echo "Set $name. Needed are: ${needed[*]}" >&2
        exit 2
    fi
done

register() { # a definition with our names filled in; prints its ARN
    local text
    text=$(<"$here/$1.json")
    for name in "${needed[@]}"; do
        text=${text//"\${$name}"/"${!name}"}
    done
    aws ecs register-task-definition --region "$AWS_REGION" --cli-input-json "$text" \
        --query taskDefinition.taskDefinitionArn --output text
}

echo "Migrating with $IMAGE"
migration=$(register migrate)
task=$(aws ecs run-task --region "$AWS_REGION" --cluster "$CLUSTER" --launch-type FARGATE --task-definition "$migration" \
    --network-configuration "awsvpcConfiguration={subnets=[$SUBNETS],securityGroups=[$SECURITY_GROUPS],assignPublicIp=DISABLED}" \
    --query 'tasks[0].taskArn' --output text)
aws ecs wait tasks-stopped --region "$AWS_REGION" --cluster "$CLUSTER" --tasks "$task"
code=$(aws ecs describe-tasks --region "$AWS_REGION" --cluster "$CLUSTER" --tasks "$task" \
    --query 'tasks[0].containers[0].exitCode' --output text)
if [ "$code" != 0 ]; then
    echo "The migration ended with $code; nothing was rolled. Its log is in the group /hortus, stream migrate." >&2
    exit 1
fi

for each in scheduler worker api; do
    echo "Rolling $each"
    aws ecs update-service --region "$AWS_REGION" --cluster "$CLUSTER" --service "hortus-$each" \
        --task-definition "$(register "$each")" --query service.serviceArn --output text
done
aws ecs wait services-stable --region "$AWS_REGION" --cluster "$CLUSTER" \
    --services hortus-api hortus-worker hortus-scheduler
echo "Released $IMAGE"
