-- Run once, by the image, when the cluster is made. A superuser gets past every permission, so the gateway's
-- role is none; it owns its database, which is all that the migrations need.
\set password `cat /run/secrets/gateway_password`
CREATE ROLE gateway LOGIN PASSWORD :'password';
CREATE DATABASE gateway OWNER gateway;
