"""The stack of infra/template.yaml on the emulator: packaged, uploaded, created, changed."""

import platform
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import WaiterError

from infra.release import digest
from tests.e2e.emulator import PROJECT

REGION = "us-east-1"
BUCKET = "artifacts"
ZIP = "lambda.zip"
# What `sam package` replaces in the template.
LOCAL_CODE = "../build/lambda.zip"
ARCHITECTURE = {"x86_64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}[platform.machine()]
NO_TAGS: Mapping[str, str] = {}
# Whoever signs with these is the account's root for the emulator.
ROOT = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}


@dataclass(frozen=True)
class Account:
    """An AWS account on the emulator at `endpoint`."""

    endpoint: str

    def client(self, service: str, credentials: Mapping[str, str] = ROOT) -> Any:
        """A client of that service, by default as the account's root."""
        config = Config(retries={"total_max_attempts": 1}, read_timeout=60)
        return boto3.client(
            service, endpoint_url=self.endpoint, region_name=REGION, config=config, **credentials
        )

    def session_of(
        self, role_arn: str, credentials: Mapping[str, str] = ROOT, *, tags: Mapping[str, str] = NO_TAGS
    ) -> dict[str, str]:
        """The credentials of an assumed role, as arguments of `client`."""
        given = self.client("sts", credentials).assume_role(
            RoleArn=role_arn,
            RoleSessionName="e2e",
            Tags=[{"Key": name, "Value": value} for name, value in tags.items()],
        )["Credentials"]
        return {
            "aws_access_key_id": given["AccessKeyId"],
            "aws_secret_access_key": given["SecretAccessKey"],
            "aws_session_token": given["SessionToken"],
        }

    def upload(self, name: str, content: bytes) -> None:
        s3 = self.client("s3")
        s3.create_bucket(Bucket=BUCKET)
        s3.put_object(Bucket=BUCKET, Key=name, Body=content)


class Stack:
    """A stack by name; `deploy` creates it or changes it. `deployed` are its parameters since."""

    def __init__(self, account: Account, name: str) -> None:
        self.account = account
        self.name = name
        self.deployed: Mapping[str, str] = {}
        self._cloudformation = account.client("cloudformation")

    def deploy(self, template: str, parameters: Mapping[str, str]) -> str:
        """The stack's final status; with a ValidationError of boto's where there is nothing to change."""
        self.account.upload(f"{self.name}.yaml", template.encode())
        self.deployed = parameters
        exists = self.status() != "ABSENT"
        operation = "update" if exists else "create"
        getattr(self._cloudformation, f"{operation}_stack")(
            StackName=self.name,
            TemplateURL=f"{self.account.endpoint}/{BUCKET}/{self.name}.yaml",
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        )
        return self._settled(operation)

    def delete(self) -> str:
        stack_id = self._describe()["StackId"]
        self._cloudformation.delete_stack(StackName=self.name)
        self._cloudformation.get_waiter("stack_delete_complete").wait(
            StackName=stack_id, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )
        return self.status()

    def status(self) -> str:
        """ABSENT where there is none."""
        try:
            return self._describe()["StackStatus"]
        except self._cloudformation.exceptions.ClientError as error:
            if "does not exist" in str(error):
                return "ABSENT"
            raise

    def outputs(self) -> dict[str, str]:
        return {each["OutputKey"]: each["OutputValue"] for each in self._describe()["Outputs"]}

    def resources(self) -> dict[str, str]:
        """Physical ids by logical names."""
        answer = self._cloudformation.describe_stack_resources(StackName=self.name)
        return {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in answer["StackResources"]}

    def failures(self) -> list[str]:
        """Why resources could not be made, or changed."""
        events = self._cloudformation.describe_stack_events(StackName=self.name)["StackEvents"]
        return [
            f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}"
            for event in events
            if event["ResourceStatus"].endswith("_FAILED")
        ]

    def _describe(self) -> dict[str, Any]:
        return self._cloudformation.describe_stacks(StackName=self.name)["Stacks"][0]

    def _settled(self, operation: str) -> str:
        waiter = self._cloudformation.get_waiter(f"stack_{operation}_complete")
        try:
            waiter.wait(StackName=self.name, WaiterConfig={"Delay": 1, "MaxAttempts": 120})
        except WaiterError:
            return f"{self.status()}: {self.failures()}"
        return self.status()


def build_package(path: Path) -> None:
    """The real zip, for this machine's architecture."""
    command = [sys.executable, "-m", "infra.package", "--architecture", ARCHITECTURE, "--output", str(path)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def released(parameters: Mapping[str, str], package: Path) -> dict[str, str]:
    """The parameters with what makes a new version of the functions where anything is changed."""
    texts = [f"{name}={value}" for name, value in parameters.items()]
    return {**parameters, "Release": digest(texts, package)}


def packaged(template: str) -> str:
    """The template as `sam package` leaves it: with the uploaded code in place of the local path."""
    assert LOCAL_CODE in template
    return template.replace(LOCAL_CODE, f"s3://{BUCKET}/{ZIP}")
