-- +goose Up
-- create "administrators" table
CREATE TABLE `administrators` (`id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `email` text NOT NULL, `firstname` text NULL, `lastname` text NULL, `all_organizations` bool NOT NULL DEFAULT (false), `suspended` bool NOT NULL DEFAULT (false), `registered` bool NOT NULL DEFAULT (false), `enable_multi_factor` bool NOT NULL DEFAULT (false), `api_key_allowed` bool NOT NULL DEFAULT (false), `password_hash` text NULL, `totp_secret` blob NULL, `totp_step` integer NOT NULL DEFAULT (0), `recovery_hashes` json NULL, `activation_hash` blob NULL, `activation_expires_at` datetime NULL, `last_sign_in_at` datetime NULL, `provider_id` text NOT NULL, `role_id` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `administrators_providers_provider` FOREIGN KEY (`provider_id`) REFERENCES `providers` (`id`) ON DELETE CASCADE, CONSTRAINT `administrators_roles_role` FOREIGN KEY (`provider_id`, `role_id`) REFERENCES `roles` (`provider_id`, `id`) ON DELETE NO ACTION);
-- create index "administrator_provider_id_id" to table: "administrators"
CREATE UNIQUE INDEX `administrator_provider_id_id` ON `administrators` (`provider_id`, `id`);
-- create index "administrator_email" to table: "administrators"
CREATE UNIQUE INDEX `administrator_email` ON `administrators` (`email`);
-- create index "administrator_provider_id_email" to table: "administrators"
CREATE INDEX `administrator_provider_id_email` ON `administrators` (`provider_id`, `email`);
-- create index "administrator_provider_id_role_id" to table: "administrators"
CREATE INDEX `administrator_provider_id_role_id` ON `administrators` (`provider_id`, `role_id`);
-- create index "administrator_activation_hash" to table: "administrators"
CREATE UNIQUE INDEX `administrator_activation_hash` ON `administrators` (`activation_hash`);
-- create index "administrators_role_id" to table: "administrators"
CREATE INDEX `administrators_role_id` ON `administrators` (`role_id`);
-- create "administrator_organization_links" table
CREATE TABLE `administrator_organization_links` (`id` text NOT NULL, `provider_id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `organization_id` text NOT NULL, `administrator_id` text NOT NULL, `role_id` text NULL, PRIMARY KEY (`id`), CONSTRAINT `administrator_organization_links_organizations_organization` FOREIGN KEY (`provider_id`, `organization_id`) REFERENCES `organizations` (`provider_id`, `id`) ON DELETE CASCADE, CONSTRAINT `administrator_organization_links_administrators_administrator` FOREIGN KEY (`provider_id`, `administrator_id`) REFERENCES `administrators` (`provider_id`, `id`) ON DELETE CASCADE, CONSTRAINT `administrator_organization_links_roles_role` FOREIGN KEY (`provider_id`, `role_id`) REFERENCES `roles` (`provider_id`, `id`) ON DELETE NO ACTION);
-- create index "administratororganizationlink_organization_id_id" to table: "administrator_organization_links"
CREATE UNIQUE INDEX `administratororganizationlink_organization_id_id` ON `administrator_organization_links` (`organization_id`, `id`);
-- create index "administratororganizationlink_provider_id_id" to table: "administrator_organization_links"
CREATE INDEX `administratororganizationlink_provider_id_id` ON `administrator_organization_links` (`provider_id`, `id`);
-- create index "administratororganizationlink_organization_id_administrator_id" to table: "administrator_organization_links"
CREATE UNIQUE INDEX `administratororganizationlink_organization_id_administrator_id` ON `administrator_organization_links` (`organization_id`, `administrator_id`);
-- create index "administratororganizationlink_provider_id_administrator_id" to table: "administrator_organization_links"
CREATE INDEX `administratororganizationlink_provider_id_administrator_id` ON `administrator_organization_links` (`provider_id`, `administrator_id`);
-- create index "administratororganizationlink_provider_id_role_id" to table: "administrator_organization_links"
CREATE INDEX `administratororganizationlink_provider_id_role_id` ON `administrator_organization_links` (`provider_id`, `role_id`);
-- create index "administrator_organization_links_administrator_id" to table: "administrator_organization_links"
CREATE INDEX `administrator_organization_links_administrator_id` ON `administrator_organization_links` (`administrator_id`);
-- create index "administrator_organization_links_role_id" to table: "administrator_organization_links"
CREATE INDEX `administrator_organization_links_role_id` ON `administrator_organization_links` (`role_id`);
-- create "alerts" table
CREATE TABLE `alerts` (`id` text NOT NULL, `provider_id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `type` text NOT NULL, `severity` text NOT NULL, `status` text NOT NULL DEFAULT ('OPEN'), `title` text NOT NULL, `description` text NULL, `dedupe_key` text NOT NULL, `incident` integer NOT NULL DEFAULT (1), `source_type` text NULL, `source_name` text NULL, `reference` text NULL, `remark` text NULL, `occurrence_count` integer NOT NULL DEFAULT (1), `first_occurred_at` datetime NOT NULL, `last_occurred_at` datetime NOT NULL, `acknowledged_at` datetime NULL, `resolved_at` datetime NULL, `organization_id` text NOT NULL, `device_id` text NULL, `user_id` text NULL, PRIMARY KEY (`id`), CONSTRAINT `alerts_organizations_organization` FOREIGN KEY (`provider_id`, `organization_id`) REFERENCES `organizations` (`provider_id`, `id`) ON DELETE CASCADE, CONSTRAINT `alerts_devices_device` FOREIGN KEY (`organization_id`, `device_id`) REFERENCES `devices` (`organization_id`, `id`) ON DELETE NO ACTION, CONSTRAINT `alerts_users_user` FOREIGN KEY (`organization_id`, `user_id`) REFERENCES `users` (`organization_id`, `id`) ON DELETE NO ACTION);
-- create index "alert_organization_id_id" to table: "alerts"
CREATE UNIQUE INDEX `alert_organization_id_id` ON `alerts` (`organization_id`, `id`);
-- create index "alert_provider_id_id" to table: "alerts"
CREATE INDEX `alert_provider_id_id` ON `alerts` (`provider_id`, `id`);
-- create index "alert_one_open_per_condition" to table: "alerts"
CREATE UNIQUE INDEX `alert_one_open_per_condition` ON `alerts` (`organization_id`, `type`, `dedupe_key`) WHERE resolved_at IS NULL;
-- create index "alert_organization_id_type_dedupe_key_incident" to table: "alerts"
CREATE UNIQUE INDEX `alert_organization_id_type_dedupe_key_incident` ON `alerts` (`organization_id`, `type`, `dedupe_key`, `incident`);
-- create index "alert_open_of_provider" to table: "alerts"
CREATE INDEX `alert_open_of_provider` ON `alerts` (`provider_id`, `last_occurred_at`, `id`) WHERE resolved_at IS NULL;
-- create index "alert_open_of_organization" to table: "alerts"
CREATE INDEX `alert_open_of_organization` ON `alerts` (`organization_id`, `last_occurred_at`, `id`) WHERE resolved_at IS NULL;
-- create index "alert_provider_id_status_last_occurred_at_id" to table: "alerts"
CREATE INDEX `alert_provider_id_status_last_occurred_at_id` ON `alerts` (`provider_id`, `status`, `last_occurred_at`, `id`);
-- create index "alert_organization_id_status_last_occurred_at_id" to table: "alerts"
CREATE INDEX `alert_organization_id_status_last_occurred_at_id` ON `alerts` (`organization_id`, `status`, `last_occurred_at`, `id`);
-- create index "alert_organization_id_device_id" to table: "alerts"
CREATE INDEX `alert_organization_id_device_id` ON `alerts` (`organization_id`, `device_id`);
-- create index "alert_device_id_last_occurred_at_id" to table: "alerts"
CREATE INDEX `alert_device_id_last_occurred_at_id` ON `alerts` (`device_id`, `last_occurred_at`, `id`);
-- create index "alert_provider_id_updated_at" to table: "alerts"
CREATE INDEX `alert_provider_id_updated_at` ON `alerts` (`provider_id`, `updated_at`);
-- create index "alert_organization_id_user_id" to table: "alerts"
CREATE INDEX `alert_organization_id_user_id` ON `alerts` (`organization_id`, `user_id`);
-- create index "alerts_user_id" to table: "alerts"
CREATE INDEX `alerts_user_id` ON `alerts` (`user_id`);
-- create "alert_occurrences" table
CREATE TABLE `alert_occurrences` (`id` text NOT NULL, `provider_id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `occurred_at` datetime NOT NULL, `details` text NULL, `raised_by` text NOT NULL, `organization_id` text NOT NULL, `alert_id` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `alert_occurrences_organizations_organization` FOREIGN KEY (`provider_id`, `organization_id`) REFERENCES `organizations` (`provider_id`, `id`) ON DELETE CASCADE, CONSTRAINT `alert_occurrences_alerts_alert` FOREIGN KEY (`organization_id`, `alert_id`) REFERENCES `alerts` (`organization_id`, `id`) ON DELETE CASCADE);
-- create index "alertoccurrence_organization_id_id" to table: "alert_occurrences"
CREATE UNIQUE INDEX `alertoccurrence_organization_id_id` ON `alert_occurrences` (`organization_id`, `id`);
-- create index "alertoccurrence_provider_id_id" to table: "alert_occurrences"
CREATE INDEX `alertoccurrence_provider_id_id` ON `alert_occurrences` (`provider_id`, `id`);
-- create index "alertoccurrence_organization_id_alert_id_id" to table: "alert_occurrences"
CREATE INDEX `alertoccurrence_organization_id_alert_id_id` ON `alert_occurrences` (`organization_id`, `alert_id`, `id`);
-- create index "alertoccurrence_alert_id_id" to table: "alert_occurrences"
CREATE INDEX `alertoccurrence_alert_id_id` ON `alert_occurrences` (`alert_id`, `id`);
-- create "api_keys" table
CREATE TABLE `api_keys` (`id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `name` text NOT NULL, `prefix` text NOT NULL, `secret_hash` blob NOT NULL, `organization_ids` json NULL, `permissions` json NULL, `expires_at` datetime NULL, `last_used_at` datetime NULL, `revoked_at` datetime NULL, `provider_id` text NOT NULL, `administrator_id` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `api_keys_providers_provider` FOREIGN KEY (`provider_id`) REFERENCES `providers` (`id`) ON DELETE CASCADE, CONSTRAINT `api_keys_administrators_administrator` FOREIGN KEY (`provider_id`, `administrator_id`) REFERENCES `administrators` (`provider_id`, `id`) ON DELETE CASCADE);
-- create index "apikey_provider_id_id" to table: "api_keys"
CREATE UNIQUE INDEX `apikey_provider_id_id` ON `api_keys` (`provider_id`, `id`);
-- create index "apikey_prefix" to table: "api_keys"
CREATE UNIQUE INDEX `apikey_prefix` ON `api_keys` (`prefix`);
-- create index "apikey_provider_id_administrator_id" to table: "api_keys"
CREATE INDEX `apikey_provider_id_administrator_id` ON `api_keys` (`provider_id`, `administrator_id`);
-- create index "api_keys_administrator_id" to table: "api_keys"
CREATE INDEX `api_keys_administrator_id` ON `api_keys` (`administrator_id`);
-- create "apple_mdms" table
CREATE TABLE `apple_mdms` (`id` text NOT NULL, `provider_id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `name` text NOT NULL, `allow_mobile_user_enrollment` bool NOT NULL DEFAULT (false), `sign_message` bool NOT NULL DEFAULT (true), `inventory_interval_hours` integer NOT NULL DEFAULT (24), `missing_after_days` integer NOT NULL DEFAULT (14), `history_days` integer NOT NULL DEFAULT (90), `enrollment_limit` integer NULL, `limit_reached_at` datetime NULL, `topic` text NULL, `certificate_not_before` datetime NULL, `certificate_not_after` datetime NULL, `certificate_serial_number` text NULL, `creator_apple_id` text NULL, `push_status` text NOT NULL DEFAULT ('MISSING'), `expiry_warned_days` integer NOT NULL DEFAULT (0), `push_certificate` blob NULL, `push_key` blob NULL, `staged_key` blob NULL, `staged_csr` blob NULL, `ca_certificate` blob NULL, `ca_key` blob NULL, `signing_certificate` blob NULL, `signing_key` blob NULL, `organization_id` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `apple_mdms_organizations_organization` FOREIGN KEY (`provider_id`, `organization_id`) REFERENCES `organizations` (`provider_id`, `id`) ON DELETE CASCADE);
-- create index "applemdm_organization_id_id" to table: "apple_mdms"
CREATE UNIQUE INDEX `applemdm_organization_id_id` ON `apple_mdms` (`organization_id`, `id`);
-- create index "applemdm_provider_id_id" to table: "apple_mdms"
CREATE INDEX `applemdm_provider_id_id` ON `apple_mdms` (`provider_id`, `id`);
-- create index "applemdm_organization_id" to table: "apple_mdms"
CREATE UNIQUE INDEX `applemdm_organization_id` ON `apple_mdms` (`organization_id`);
-- create index "applemdm_provider_id_certificate_not_after_id" to table: "apple_mdms"
CREATE INDEX `applemdm_provider_id_certificate_not_after_id` ON `apple_mdms` (`provider_id`, `certificate_not_after`, `id`);
-- create index "applemdm_certificate_not_after" to table: "apple_mdms"
CREATE INDEX `applemdm_certificate_not_after` ON `apple_mdms` (`certificate_not_after`);
-- create "data_keys" table
CREATE TABLE `data_keys` (`id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `tenant` text NOT NULL, `wrapped` blob NOT NULL, `version` integer NOT NULL DEFAULT (1), PRIMARY KEY (`id`));
-- create index "datakey_tenant" to table: "data_keys"
CREATE UNIQUE INDEX `datakey_tenant` ON `data_keys` (`tenant`);
-- create "devices" table
CREATE TABLE `devices` (`id` text NOT NULL, `provider_id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `name` text NOT NULL, `serial_number` text NOT NULL, `udid` text NULL, `platform` text NOT NULL, `model` text NULL, `os_version` text NULL, `asset_tag` text NULL, `model_identifier` text NULL, `build_version` text NULL, `wifi_mac_address` text NULL, `ethernet_mac_address` text NULL, `enrolled` bool NOT NULL DEFAULT (false), `supervised` bool NOT NULL DEFAULT (false), `user_enrollment` bool NOT NULL DEFAULT (false), `dep_enrollment` bool NOT NULL DEFAULT (false), `user_approved_enrollment` bool NOT NULL DEFAULT (false), `apple_silicon` bool NULL, `activation_lock_enabled` bool NULL, `passcode_present` bool NULL, `disk_encryption_enabled` bool NULL, `bootstrap_token_escrowed` bool NOT NULL DEFAULT (false), `inventory_at` datetime NULL, `first_enrolled_at` datetime NULL, `last_enrolled_at` datetime NULL, `checkout_at` datetime NULL, `blocked_at` datetime NULL, `missing_since` datetime NULL, `reenrollment_required_at` datetime NULL, `certificate_not_after` datetime NULL, `last_seen_at` datetime NULL, `last_seen_on` datetime NULL, `organization_id` text NOT NULL, `user_id` text NULL, PRIMARY KEY (`id`), CONSTRAINT `devices_organizations_organization` FOREIGN KEY (`provider_id`, `organization_id`) REFERENCES `organizations` (`provider_id`, `id`) ON DELETE CASCADE, CONSTRAINT `devices_users_user` FOREIGN KEY (`organization_id`, `user_id`) REFERENCES `users` (`organization_id`, `id`) ON DELETE NO ACTION);
-- create index "device_organization_id_id" to table: "devices"
CREATE UNIQUE INDEX `device_organization_id_id` ON `devices` (`organization_id`, `id`);
-- create index "device_provider_id_id" to table: "devices"
CREATE INDEX `device_provider_id_id` ON `devices` (`provider_id`, `id`);
-- create index "device_organization_id_serial_number" to table: "devices"
CREATE UNIQUE INDEX `device_organization_id_serial_number` ON `devices` (`organization_id`, `serial_number`);
-- create index "device_organization_id_name_id" to table: "devices"
CREATE INDEX `device_organization_id_name_id` ON `devices` (`organization_id`, `name`, `id`);
-- create index "device_organization_id_platform_name_id" to table: "devices"
CREATE INDEX `device_organization_id_platform_name_id` ON `devices` (`organization_id`, `platform`, `name`, `id`);
-- create index "device_user_id_id" to table: "devices"
CREATE INDEX `device_user_id_id` ON `devices` (`user_id`, `id`) WHERE user_id IS NOT NULL;
-- create index "device_provider_id_enrolled_name_id" to table: "devices"
CREATE INDEX `device_provider_id_enrolled_name_id` ON `devices` (`provider_id`, `enrolled`, `name`, `id`);
-- create index "device_enrolled" to table: "devices"
CREATE INDEX `device_enrolled` ON `devices` (`organization_id`) WHERE enrolled;
-- create index "device_provider_id_udid" to table: "devices"
CREATE INDEX `device_provider_id_udid` ON `devices` (`provider_id`, `udid`);
-- create index "device_provider_id_name_id" to table: "devices"
CREATE INDEX `device_provider_id_name_id` ON `devices` (`provider_id`, `name`, `id`);
-- create index "device_provider_id_serial_number_id" to table: "devices"
CREATE INDEX `device_provider_id_serial_number_id` ON `devices` (`provider_id`, `serial_number`, `id`);
-- create index "device_supervised" to table: "devices"
CREATE INDEX `device_supervised` ON `devices` (`provider_id`, `supervised`) WHERE supervised;
-- create index "device_dep_enrollment" to table: "devices"
CREATE INDEX `device_dep_enrollment` ON `devices` (`provider_id`, `dep_enrollment`) WHERE dep_enrollment;
-- create index "device_blocked" to table: "devices"
CREATE INDEX `device_blocked` ON `devices` (`provider_id`, `blocked_at`) WHERE blocked_at IS NOT NULL;
-- create index "device_missing" to table: "devices"
CREATE INDEX `device_missing` ON `devices` (`provider_id`, `missing_since`) WHERE missing_since IS NOT NULL;
-- create index "device_to_reenrol" to table: "devices"
CREATE INDEX `device_to_reenrol` ON `devices` (`provider_id`, `reenrollment_required_at`) WHERE reenrollment_required_at IS NOT NULL;
-- create index "device_provider_id_os_version" to table: "devices"
CREATE INDEX `device_provider_id_os_version` ON `devices` (`provider_id`, `os_version`);
-- create index "device_provider_id_model" to table: "devices"
CREATE INDEX `device_provider_id_model` ON `devices` (`provider_id`, `model`);
-- create index "device_provider_id_asset_tag" to table: "devices"
CREATE INDEX `device_provider_id_asset_tag` ON `devices` (`provider_id`, `asset_tag`) WHERE asset_tag IS NOT NULL;
-- create index "device_provider_id_created_at" to table: "devices"
CREATE INDEX `device_provider_id_created_at` ON `devices` (`provider_id`, `created_at`);
-- create index "device_provider_id_last_seen_on" to table: "devices"
CREATE INDEX `device_provider_id_last_seen_on` ON `devices` (`provider_id`, `last_seen_on`);
-- create index "device_provider_id_wifi_mac_address" to table: "devices"
CREATE INDEX `device_provider_id_wifi_mac_address` ON `devices` (`provider_id`, `wifi_mac_address`) WHERE wifi_mac_address IS NOT NULL;
-- create index "device_provider_id_ethernet_mac_address" to table: "devices"
CREATE INDEX `device_provider_id_ethernet_mac_address` ON `devices` (`provider_id`, `ethernet_mac_address`) WHERE ethernet_mac_address IS NOT NULL;
-- create "device_apps" table
CREATE TABLE `device_apps` (`id` text NOT NULL, `provider_id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `name` text NOT NULL, `identifier` text NULL, `version` text NULL, `short_version` text NULL, `bundle_size` real NULL, `managed` bool NOT NULL DEFAULT (false), `organization_id` text NOT NULL, `device_id` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `device_apps_organizations_organization` FOREIGN KEY (`provider_id`, `organization_id`) REFERENCES `organizations` (`provider_id`, `id`) ON DELETE CASCADE, CONSTRAINT `device_apps_devices_device` FOREIGN KEY (`organization_id`, `device_id`) REFERENCES `devices` (`organization_id`, `id`) ON DELETE CASCADE);
-- create index "deviceapp_organization_id_id" to table: "device_apps"
CREATE UNIQUE INDEX `deviceapp_organization_id_id` ON `device_apps` (`organization_id`, `id`);
-- create index "deviceapp_provider_id_id" to table: "device_apps"
CREATE INDEX `deviceapp_provider_id_id` ON `device_apps` (`provider_id`, `id`);
-- create index "deviceapp_device_id_id" to table: "device_apps"
CREATE INDEX `deviceapp_device_id_id` ON `device_apps` (`device_id`, `id`);
-- create index "deviceapp_organization_id_device_id" to table: "device_apps"
CREATE INDEX `deviceapp_organization_id_device_id` ON `device_apps` (`organization_id`, `device_id`);
-- create index "deviceapp_organization_id_identifier" to table: "device_apps"
CREATE INDEX `deviceapp_organization_id_identifier` ON `device_apps` (`organization_id`, `identifier`);
-- create "device_certificates" table
CREATE TABLE `device_certificates` (`id` text NOT NULL, `provider_id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `common_name` text NOT NULL, `is_identity` bool NOT NULL DEFAULT (false), `fingerprint` text NOT NULL, `not_after` datetime NULL, `organization_id` text NOT NULL, `device_id` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `device_certificates_organizations_organization` FOREIGN KEY (`provider_id`, `organization_id`) REFERENCES `organizations` (`provider_id`, `id`) ON DELETE CASCADE, CONSTRAINT `device_certificates_devices_device` FOREIGN KEY (`organization_id`, `device_id`) REFERENCES `devices` (`organization_id`, `id`) ON DELETE CASCADE);
-- create index "devicecertificate_organization_id_id" to table: "device_certificates"
CREATE UNIQUE INDEX `devicecertificate_organization_id_id` ON `device_certificates` (`organization_id`, `id`);
-- create index "devicecertificate_provider_id_id" to table: "device_certificates"
CREATE INDEX `devicecertificate_provider_id_id` ON `device_certificates` (`provider_id`, `id`);
-- create index "devicecertificate_device_id_id" to table: "device_certificates"
CREATE INDEX `devicecertificate_device_id_id` ON `device_certificates` (`device_id`, `id`);
-- create index "devicecertificate_organization_id_device_id" to table: "device_certificates"
CREATE INDEX `devicecertificate_organization_id_device_id` ON `device_certificates` (`organization_id`, `device_id`);
-- create "device_channels" table
CREATE TABLE `device_channels` (`id` text NOT NULL, `provider_id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `key` text NOT NULL, `kind` text NOT NULL DEFAULT ('DEVICE'), `status` text NOT NULL DEFAULT ('AUTHENTICATED'), `user_name` text NULL, `fingerprint` text NULL, `topic` text NULL, `push_token` blob NULL, `push_magic` text NULL, `push_dead` bool NOT NULL DEFAULT (false), `push_wanted_at` datetime NULL, `pushed_at` datetime NULL, `last_seen_at` datetime NULL, `signed_second` integer NOT NULL DEFAULT (0), `next_inventory_at` datetime NULL, `arrived_at` datetime NULL, `awaiting_configuration` bool NOT NULL DEFAULT (false), `unlock_token` blob NULL, `bootstrap_token` blob NULL, `organization_id` text NOT NULL, `device_id` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `device_channels_organizations_organization` FOREIGN KEY (`provider_id`, `organization_id`) REFERENCES `organizations` (`provider_id`, `id`) ON DELETE CASCADE, CONSTRAINT `device_channels_devices_device` FOREIGN KEY (`organization_id`, `device_id`) REFERENCES `devices` (`organization_id`, `id`) ON DELETE CASCADE);
-- create index "devicechannel_organization_id_id" to table: "device_channels"
CREATE UNIQUE INDEX `devicechannel_organization_id_id` ON `device_channels` (`organization_id`, `id`);
-- create index "devicechannel_provider_id_id" to table: "device_channels"
CREATE INDEX `devicechannel_provider_id_id` ON `device_channels` (`provider_id`, `id`);
-- create index "devicechannel_organization_id_key" to table: "device_channels"
CREATE UNIQUE INDEX `devicechannel_organization_id_key` ON `device_channels` (`organization_id`, `key`);
-- create index "devicechannel_device_id_id" to table: "device_channels"
CREATE INDEX `devicechannel_device_id_id` ON `device_channels` (`device_id`, `id`);
-- create index "device_channel_to_be_notified" to table: "device_channels"
CREATE INDEX `device_channel_to_be_notified` ON `device_channels` (`push_wanted_at`) WHERE push_wanted_at IS NOT NULL;
-- create index "device_channel_arrived" to table: "device_channels"
CREATE INDEX `device_channel_arrived` ON `device_channels` (`organization_id`, `arrived_at`) WHERE arrived_at IS NOT NULL;
-- create index "device_channel_to_be_inventoried" to table: "device_channels"
CREATE INDEX `device_channel_to_be_inventoried` ON `device_channels` (`next_inventory_at`) WHERE next_inventory_at IS NOT NULL;
-- create "device_commands" table
CREATE TABLE `device_commands` (`id` text NOT NULL, `provider_id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `command_uuid` text NOT NULL, `request_type` text NOT NULL, `arguments` json NULL, `sealed_arguments` blob NULL, `status` text NOT NULL DEFAULT ('PENDING'), `priority` integer NOT NULL DEFAULT (0), `not_before` datetime NULL, `expires_at` datetime NULL, `sent_at` datetime NULL, `result_at` datetime NULL, `attempts` integer NOT NULL DEFAULT (0), `error_chain` json NULL, `alert_due` bool NOT NULL DEFAULT (false), `inventory` bool NOT NULL DEFAULT (false), `job_id` text NULL, `organization_id` text NOT NULL, `device_id` text NOT NULL, `channel_id` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `device_commands_organizations_organization` FOREIGN KEY (`provider_id`, `organization_id`) REFERENCES `organizations` (`provider_id`, `id`) ON DELETE CASCADE, CONSTRAINT `device_commands_devices_device` FOREIGN KEY (`organization_id`, `device_id`) REFERENCES `devices` (`organization_id`, `id`) ON DELETE CASCADE, CONSTRAINT `device_commands_device_channels_channel` FOREIGN KEY (`organization_id`, `channel_id`) REFERENCES `device_channels` (`organization_id`, `id`) ON DELETE CASCADE);
-- create index "devicecommand_organization_id_id" to table: "device_commands"
CREATE UNIQUE INDEX `devicecommand_organization_id_id` ON `device_commands` (`organization_id`, `id`);
-- create index "devicecommand_provider_id_id" to table: "device_commands"
CREATE INDEX `devicecommand_provider_id_id` ON `device_commands` (`provider_id`, `id`);
-- create index "devicecommand_organization_id_command_uuid" to table: "device_commands"
CREATE UNIQUE INDEX `devicecommand_organization_id_command_uuid` ON `device_commands` (`organization_id`, `command_uuid`);
-- create index "devicecommand_device_id_id" to table: "device_commands"
CREATE INDEX `devicecommand_device_id_id` ON `device_commands` (`device_id`, `id`);
-- create index "devicecommand_provider_id_status_id" to table: "device_commands"
CREATE INDEX `devicecommand_provider_id_status_id` ON `device_commands` (`provider_id`, `status`, `id`);
-- create index "devicecommand_provider_id_request_type_id" to table: "device_commands"
CREATE INDEX `devicecommand_provider_id_request_type_id` ON `device_commands` (`provider_id`, `request_type`, `id`);
-- create index "device_command_waiting" to table: "device_commands"
CREATE INDEX `device_command_waiting` ON `device_commands` (`channel_id`, `priority`, `id`) WHERE status = 'PENDING' OR status = 'SENT' OR status = 'NOT_NOW';
-- create index "device_command_ended" to table: "device_commands"
CREATE INDEX `device_command_ended` ON `device_commands` (`result_at`) WHERE result_at IS NOT NULL;
-- create index "device_command_failed" to table: "device_commands"
CREATE INDEX `device_command_failed` ON `device_commands` (`organization_id`, `id`) WHERE alert_due;
-- create index "device_command_told_together" to table: "device_commands"
CREATE INDEX `device_command_told_together` ON `device_commands` (`job_id`, `id`) WHERE job_id IS NOT NULL;
-- create index "device_command_beginning" to table: "device_commands"
CREATE INDEX `device_command_beginning` ON `device_commands` (`not_before`) WHERE not_before IS NOT NULL AND (status = 'PENDING' OR status = 'SENT' OR status = 'NOT_NOW');
-- create index "device_command_ending" to table: "device_commands"
CREATE INDEX `device_command_ending` ON `device_commands` (`expires_at`) WHERE expires_at IS NOT NULL AND (status = 'PENDING' OR status = 'SENT' OR status = 'NOT_NOW');
-- create index "device_commands_channel_id" to table: "device_commands"
CREATE INDEX `device_commands_channel_id` ON `device_commands` (`channel_id`);
-- create "device_identities" table
CREATE TABLE `device_identities` (`id` text NOT NULL, `provider_id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `fingerprint` text NOT NULL, `serial_number` text NOT NULL, `common_name` text NOT NULL, `not_before` datetime NOT NULL, `not_after` datetime NOT NULL, `revoked_at` datetime NULL, `organization_id` text NOT NULL, `enrollment_id` text NULL, `device_id` text NULL, `user_id` text NULL, PRIMARY KEY (`id`), CONSTRAINT `device_identities_organizations_organization` FOREIGN KEY (`provider_id`, `organization_id`) REFERENCES `organizations` (`provider_id`, `id`) ON DELETE CASCADE, CONSTRAINT `device_identities_enrollments_enrollment` FOREIGN KEY (`organization_id`, `enrollment_id`) REFERENCES `enrollments` (`organization_id`, `id`) ON DELETE CASCADE, CONSTRAINT `device_identities_devices_device` FOREIGN KEY (`organization_id`, `device_id`) REFERENCES `devices` (`organization_id`, `id`) ON DELETE NO ACTION, CONSTRAINT `device_identities_users_user` FOREIGN KEY (`organization_id`, `user_id`) REFERENCES `users` (`organization_id`, `id`) ON DELETE NO ACTION);
-- create index "deviceidentity_organization_id_id" to table: "device_identities"
CREATE UNIQUE INDEX `deviceidentity_organization_id_id` ON `device_identities` (`organization_id`, `id`);
-- create index "deviceidentity_provider_id_id" to table: "device_identities"
CREATE INDEX `deviceidentity_provider_id_id` ON `device_identities` (`provider_id`, `id`);
-- create index "deviceidentity_organization_id_fingerprint" to table: "device_identities"
CREATE UNIQUE INDEX `deviceidentity_organization_id_fingerprint` ON `device_identities` (`organization_id`, `fingerprint`);
-- create index "deviceidentity_device_id_id" to table: "device_identities"
CREATE INDEX `deviceidentity_device_id_id` ON `device_identities` (`device_id`, `id`) WHERE device_id IS NOT NULL;
-- create index "deviceidentity_enrollment_id_id" to table: "device_identities"
CREATE INDEX `deviceidentity_enrollment_id_id` ON `device_identities` (`enrollment_id`, `id`) WHERE enrollment_id IS NOT NULL;
-- create index "deviceidentity_user_id_id" to table: "device_identities"
CREATE INDEX `deviceidentity_user_id_id` ON `device_identities` (`user_id`, `id`) WHERE user_id IS NOT NULL;
-- create "device_os_updates" table
CREATE TABLE `device_os_updates` (`id` text NOT NULL, `provider_id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `product_key` text NOT NULL, `name` text NULL, `version` text NULL, `build` text NULL, `is_critical` bool NOT NULL DEFAULT (false), `restart_required` bool NOT NULL DEFAULT (false), `status` text NULL, `percent_downloaded` real NULL, `is_downloaded` bool NOT NULL DEFAULT (false), `organization_id` text NOT NULL, `device_id` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `device_os_updates_organizations_organization` FOREIGN KEY (`provider_id`, `organization_id`) REFERENCES `organizations` (`provider_id`, `id`) ON DELETE CASCADE, CONSTRAINT `device_os_updates_devices_device` FOREIGN KEY (`organization_id`, `device_id`) REFERENCES `devices` (`organization_id`, `id`) ON DELETE CASCADE);
-- create index "deviceosupdate_organization_id_id" to table: "device_os_updates"
CREATE UNIQUE INDEX `deviceosupdate_organization_id_id` ON `device_os_updates` (`organization_id`, `id`);
-- create index "deviceosupdate_provider_id_id" to table: "device_os_updates"
CREATE INDEX `deviceosupdate_provider_id_id` ON `device_os_updates` (`provider_id`, `id`);
-- create index "deviceosupdate_organization_id_device_id_product_key" to table: "device_os_updates"
CREATE UNIQUE INDEX `deviceosupdate_organization_id_device_id_product_key` ON `device_os_updates` (`organization_id`, `device_id`, `product_key`);
-- create index "deviceosupdate_device_id_id" to table: "device_os_updates"
CREATE INDEX `deviceosupdate_device_id_id` ON `device_os_updates` (`device_id`, `id`);
-- create "device_profiles" table
CREATE TABLE `device_profiles` (`id` text NOT NULL, `provider_id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `identifier` text NOT NULL, `uuid` text NULL, `name` text NULL, `profile_organization` text NULL, `managed` bool NOT NULL DEFAULT (false), `removal_disallowed` bool NOT NULL DEFAULT (false), `encrypted` bool NOT NULL DEFAULT (false), `organization_id` text NOT NULL, `device_id` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `device_profiles_organizations_organization` FOREIGN KEY (`provider_id`, `organization_id`) REFERENCES `organizations` (`provider_id`, `id`) ON DELETE CASCADE, CONSTRAINT `device_profiles_devices_device` FOREIGN KEY (`organization_id`, `device_id`) REFERENCES `devices` (`organization_id`, `id`) ON DELETE CASCADE);
-- create index "deviceprofile_organization_id_id" to table: "device_profiles"
CREATE UNIQUE INDEX `deviceprofile_organization_id_id` ON `device_profiles` (`organization_id`, `id`);
-- create index "deviceprofile_provider_id_id" to table: "device_profiles"
CREATE INDEX `deviceprofile_provider_id_id` ON `device_profiles` (`provider_id`, `id`);
-- create index "deviceprofile_device_id_id" to table: "device_profiles"
CREATE INDEX `deviceprofile_device_id_id` ON `device_profiles` (`device_id`, `id`);
-- create index "deviceprofile_organization_id_device_id" to table: "device_profiles"
CREATE INDEX `deviceprofile_organization_id_device_id` ON `device_profiles` (`organization_id`, `device_id`);
-- create "device_secrets" table
CREATE TABLE `device_secrets` (`id` text NOT NULL, `provider_id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `kind` text NOT NULL, `value` blob NOT NULL, `revealed_at` datetime NULL, `organization_id` text NOT NULL, `device_id` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `device_secrets_organizations_organization` FOREIGN KEY (`provider_id`, `organization_id`) REFERENCES `organizations` (`provider_id`, `id`) ON DELETE CASCADE, CONSTRAINT `device_secrets_devices_device` FOREIGN KEY (`organization_id`, `device_id`) REFERENCES `devices` (`organization_id`, `id`) ON DELETE CASCADE);
-- create index "devicesecret_organization_id_id" to table: "device_secrets"
CREATE UNIQUE INDEX `devicesecret_organization_id_id` ON `device_secrets` (`organization_id`, `id`);
-- create index "devicesecret_provider_id_id" to table: "device_secrets"
CREATE INDEX `devicesecret_provider_id_id` ON `device_secrets` (`provider_id`, `id`);
-- create index "devicesecret_organization_id_device_id_kind" to table: "device_secrets"
CREATE UNIQUE INDEX `devicesecret_organization_id_device_id_kind` ON `device_secrets` (`organization_id`, `device_id`, `kind`);
-- create index "devicesecret_device_id_id" to table: "device_secrets"
CREATE INDEX `devicesecret_device_id_id` ON `device_secrets` (`device_id`, `id`);
-- create "enrollments" table
CREATE TABLE `enrollments` (`id` text NOT NULL, `provider_id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `name` text NOT NULL, `kind` text NOT NULL, `token_hash` text NOT NULL, `token` blob NOT NULL, `quota` integer NULL, `used` integer NOT NULL DEFAULT (0), `expires_at` datetime NULL, `revoked_at` datetime NULL, `rotated_at` datetime NULL, `revealed_at` datetime NULL, `organization_id` text NOT NULL, `apple_mdm_id` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `enrollments_organizations_organization` FOREIGN KEY (`provider_id`, `organization_id`) REFERENCES `organizations` (`provider_id`, `id`) ON DELETE CASCADE, CONSTRAINT `enrollments_apple_mdms_apple_mdm` FOREIGN KEY (`organization_id`, `apple_mdm_id`) REFERENCES `apple_mdms` (`organization_id`, `id`) ON DELETE CASCADE);
-- create index "enrollment_organization_id_id" to table: "enrollments"
CREATE UNIQUE INDEX `enrollment_organization_id_id` ON `enrollments` (`organization_id`, `id`);
-- create index "enrollment_provider_id_id" to table: "enrollments"
CREATE INDEX `enrollment_provider_id_id` ON `enrollments` (`provider_id`, `id`);
-- create index "enrollment_organization_id_token_hash" to table: "enrollments"
CREATE UNIQUE INDEX `enrollment_organization_id_token_hash` ON `enrollments` (`organization_id`, `token_hash`);
-- create index "enrollment_organization_id_apple_mdm_id" to table: "enrollments"
CREATE INDEX `enrollment_organization_id_apple_mdm_id` ON `enrollments` (`organization_id`, `apple_mdm_id`);
-- create index "enrollments_apple_mdm_id" to table: "enrollments"
CREATE INDEX `enrollments_apple_mdm_id` ON `enrollments` (`apple_mdm_id`);
-- create "idempotency_records" table
CREATE TABLE `idempotency_records` (`id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `principal` text NOT NULL, `key` text NOT NULL, `request_hash` blob NOT NULL, `result` blob NULL, `expires_at` datetime NOT NULL, `provider_id` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `idempotency_records_providers_provider` FOREIGN KEY (`provider_id`) REFERENCES `providers` (`id`) ON DELETE CASCADE);
-- create index "idempotencyrecord_provider_id_id" to table: "idempotency_records"
CREATE UNIQUE INDEX `idempotencyrecord_provider_id_id` ON `idempotency_records` (`provider_id`, `id`);
-- create index "idempotencyrecord_provider_id_principal_key" to table: "idempotency_records"
CREATE UNIQUE INDEX `idempotencyrecord_provider_id_principal_key` ON `idempotency_records` (`provider_id`, `principal`, `key`);
-- create index "idempotencyrecord_expires_at" to table: "idempotency_records"
CREATE INDEX `idempotencyrecord_expires_at` ON `idempotency_records` (`expires_at`);
-- create "jobs" table
CREATE TABLE `jobs` (`id` text NOT NULL, `provider_id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `kind` text NOT NULL, `status` text NOT NULL DEFAULT ('QUEUED'), `total` integer NOT NULL DEFAULT (0), `done` integer NOT NULL DEFAULT (0), `failed` integer NOT NULL DEFAULT (0), `error` text NULL, `requested_by` text NULL, `started_at` datetime NULL, `finished_at` datetime NULL, `organization_id` text NULL, PRIMARY KEY (`id`), CONSTRAINT `jobs_organizations_organization` FOREIGN KEY (`provider_id`, `organization_id`) REFERENCES `organizations` (`provider_id`, `id`) ON DELETE CASCADE, CONSTRAINT `jobs_providers_provider` FOREIGN KEY (`provider_id`) REFERENCES `providers` (`id`) ON DELETE CASCADE);
-- create index "job_organization_id_id" to table: "jobs"
CREATE INDEX `job_organization_id_id` ON `jobs` (`organization_id`, `id`);
-- create index "job_provider_id_id" to table: "jobs"
CREATE UNIQUE INDEX `job_provider_id_id` ON `jobs` (`provider_id`, `id`);
-- create index "job_provider_id_created_at_id" to table: "jobs"
CREATE INDEX `job_provider_id_created_at_id` ON `jobs` (`provider_id`, `created_at`, `id`);
-- create index "job_organization_id_created_at_id" to table: "jobs"
CREATE INDEX `job_organization_id_created_at_id` ON `jobs` (`organization_id`, `created_at`, `id`);
-- create "maintenance_windows" table
CREATE TABLE `maintenance_windows` (`id` text NOT NULL, `provider_id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `name` text NOT NULL, `starts_at` datetime NOT NULL, `ends_at` datetime NOT NULL, `organization_id` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `maintenance_windows_organizations_organization` FOREIGN KEY (`provider_id`, `organization_id`) REFERENCES `organizations` (`provider_id`, `id`) ON DELETE CASCADE);
-- create index "maintenancewindow_organization_id_id" to table: "maintenance_windows"
CREATE UNIQUE INDEX `maintenancewindow_organization_id_id` ON `maintenance_windows` (`organization_id`, `id`);
-- create index "maintenancewindow_provider_id_id" to table: "maintenance_windows"
CREATE INDEX `maintenancewindow_provider_id_id` ON `maintenance_windows` (`provider_id`, `id`);
-- create index "maintenancewindow_organization_id_ends_at" to table: "maintenance_windows"
CREATE INDEX `maintenancewindow_organization_id_ends_at` ON `maintenance_windows` (`organization_id`, `ends_at`);
-- create index "maintenancewindow_provider_id_ends_at_id" to table: "maintenance_windows"
CREATE INDEX `maintenancewindow_provider_id_ends_at_id` ON `maintenance_windows` (`provider_id`, `ends_at`, `id`);
-- create "organizations" table
CREATE TABLE `organizations` (`id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `name` text NOT NULL, `max_system_users` integer NULL, `user_count` integer NOT NULL DEFAULT (0), `status` text NOT NULL DEFAULT ('ACTIVE'), `delete_after` datetime NULL, `provider_id` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `organizations_providers_provider` FOREIGN KEY (`provider_id`) REFERENCES `providers` (`id`) ON DELETE CASCADE);
-- create index "organization_provider_id_id" to table: "organizations"
CREATE UNIQUE INDEX `organization_provider_id_id` ON `organizations` (`provider_id`, `id`);
-- create index "organization_provider_id_name" to table: "organizations"
CREATE UNIQUE INDEX `organization_provider_id_name` ON `organizations` (`provider_id`, `name`);
-- create index "organization_provider_id_status_id" to table: "organizations"
CREATE INDEX `organization_provider_id_status_id` ON `organizations` (`provider_id`, `status`, `id`);
-- create "providers" table
CREATE TABLE `providers` (`id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `name` text NOT NULL, `contact_name` text NULL, `contact_email` text NULL, `require_admin_mfa` bool NOT NULL DEFAULT (false), PRIMARY KEY (`id`));
-- create "rate_limits" table
CREATE TABLE `rate_limits` (`id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `key` text NOT NULL, `window` json NOT NULL, `paused_until` datetime NULL, `budget` integer NULL, `measured_at` datetime NULL, `unmeasured` integer NOT NULL DEFAULT (0), PRIMARY KEY (`id`));
-- create index "ratelimit_key" to table: "rate_limits"
CREATE UNIQUE INDEX `ratelimit_key` ON `rate_limits` (`key`);
-- create index "ratelimit_updated_at" to table: "rate_limits"
CREATE INDEX `ratelimit_updated_at` ON `rate_limits` (`updated_at`);
-- create "rate_shares" table
CREATE TABLE `rate_shares` (`id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `key` text NOT NULL, `tenant` text NOT NULL, `window` json NOT NULL, `slice` integer NOT NULL, PRIMARY KEY (`id`));
-- create index "rateshare_key_tenant" to table: "rate_shares"
CREATE UNIQUE INDEX `rateshare_key_tenant` ON `rate_shares` (`key`, `tenant`);
-- create index "rateshare_key_slice" to table: "rate_shares"
CREATE INDEX `rateshare_key_slice` ON `rate_shares` (`key`, `slice`);
-- create index "rateshare_updated_at" to table: "rate_shares"
CREATE INDEX `rateshare_updated_at` ON `rate_shares` (`updated_at`);
-- create "rate_slots" table
CREATE TABLE `rate_slots` (`id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `key` text NOT NULL, `number` integer NOT NULL, `holder` text NULL, `held_until` datetime NULL, PRIMARY KEY (`id`));
-- create index "rateslot_key_number" to table: "rate_slots"
CREATE UNIQUE INDEX `rateslot_key_number` ON `rate_slots` (`key`, `number`);
-- create index "rateslot_updated_at" to table: "rate_slots"
CREATE INDEX `rateslot_updated_at` ON `rate_slots` (`updated_at`);
-- create "roles" table
CREATE TABLE `roles` (`id` text NOT NULL, `provider_id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `key` text NULL, `name` text NOT NULL, `description` text NULL, `permissions` json NOT NULL, `organization_id` text NULL, PRIMARY KEY (`id`), CONSTRAINT `roles_organizations_organization` FOREIGN KEY (`provider_id`, `organization_id`) REFERENCES `organizations` (`provider_id`, `id`) ON DELETE CASCADE, CONSTRAINT `roles_providers_provider` FOREIGN KEY (`provider_id`) REFERENCES `providers` (`id`) ON DELETE CASCADE);
-- create index "role_organization_id_id" to table: "roles"
CREATE INDEX `role_organization_id_id` ON `roles` (`organization_id`, `id`);
-- create index "role_provider_id_id" to table: "roles"
CREATE UNIQUE INDEX `role_provider_id_id` ON `roles` (`provider_id`, `id`);
-- create index "role_provider_id_name" to table: "roles"
CREATE INDEX `role_provider_id_name` ON `roles` (`provider_id`, `name`);
-- create "scep_challenges" table
CREATE TABLE `scep_challenges` (`id` text NOT NULL, `provider_id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `challenge_hash` text NOT NULL, `expires_at` datetime NOT NULL, `redeemed_at` datetime NULL, `transaction` text NULL, `organization_id` text NOT NULL, `enrollment_id` text NULL, `device_id` text NULL, `user_id` text NULL, PRIMARY KEY (`id`), CONSTRAINT `scep_challenges_organizations_organization` FOREIGN KEY (`provider_id`, `organization_id`) REFERENCES `organizations` (`provider_id`, `id`) ON DELETE CASCADE, CONSTRAINT `scep_challenges_enrollments_enrollment` FOREIGN KEY (`organization_id`, `enrollment_id`) REFERENCES `enrollments` (`organization_id`, `id`) ON DELETE CASCADE, CONSTRAINT `scep_challenges_devices_device` FOREIGN KEY (`organization_id`, `device_id`) REFERENCES `devices` (`organization_id`, `id`) ON DELETE CASCADE, CONSTRAINT `scep_challenges_users_user` FOREIGN KEY (`organization_id`, `user_id`) REFERENCES `users` (`organization_id`, `id`) ON DELETE CASCADE);
-- create index "scepchallenge_organization_id_id" to table: "scep_challenges"
CREATE UNIQUE INDEX `scepchallenge_organization_id_id` ON `scep_challenges` (`organization_id`, `id`);
-- create index "scepchallenge_provider_id_id" to table: "scep_challenges"
CREATE INDEX `scepchallenge_provider_id_id` ON `scep_challenges` (`provider_id`, `id`);
-- create index "scepchallenge_organization_id_challenge_hash" to table: "scep_challenges"
CREATE UNIQUE INDEX `scepchallenge_organization_id_challenge_hash` ON `scep_challenges` (`organization_id`, `challenge_hash`);
-- create index "scepchallenge_organization_id_device_id" to table: "scep_challenges"
CREATE INDEX `scepchallenge_organization_id_device_id` ON `scep_challenges` (`organization_id`, `device_id`);
-- create index "scepchallenge_organization_id_enrollment_id" to table: "scep_challenges"
CREATE INDEX `scepchallenge_organization_id_enrollment_id` ON `scep_challenges` (`organization_id`, `enrollment_id`);
-- create index "scepchallenge_organization_id_user_id" to table: "scep_challenges"
CREATE INDEX `scepchallenge_organization_id_user_id` ON `scep_challenges` (`organization_id`, `user_id`);
-- create index "scepchallenge_expires_at" to table: "scep_challenges"
CREATE INDEX `scepchallenge_expires_at` ON `scep_challenges` (`expires_at`);
-- create index "scep_challenges_enrollment_id" to table: "scep_challenges"
CREATE INDEX `scep_challenges_enrollment_id` ON `scep_challenges` (`enrollment_id`);
-- create index "scep_challenges_device_id" to table: "scep_challenges"
CREATE INDEX `scep_challenges_device_id` ON `scep_challenges` (`device_id`);
-- create index "scep_challenges_user_id" to table: "scep_challenges"
CREATE INDEX `scep_challenges_user_id` ON `scep_challenges` (`user_id`);
-- create "sessions" table
CREATE TABLE `sessions` (`id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `refresh_hash` blob NOT NULL, `previous_hash` blob NULL, `pending` bool NOT NULL DEFAULT (false), `expires_at` datetime NOT NULL, `revoked_at` datetime NULL, `client_address` text NULL, `user_agent` text NULL, `provider_id` text NOT NULL, `administrator_id` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `sessions_providers_provider` FOREIGN KEY (`provider_id`) REFERENCES `providers` (`id`) ON DELETE CASCADE, CONSTRAINT `sessions_administrators_administrator` FOREIGN KEY (`provider_id`, `administrator_id`) REFERENCES `administrators` (`provider_id`, `id`) ON DELETE CASCADE);
-- create index "session_provider_id_id" to table: "sessions"
CREATE UNIQUE INDEX `session_provider_id_id` ON `sessions` (`provider_id`, `id`);
-- create index "session_refresh_hash" to table: "sessions"
CREATE UNIQUE INDEX `session_refresh_hash` ON `sessions` (`refresh_hash`);
-- create index "session_previous_hash" to table: "sessions"
CREATE INDEX `session_previous_hash` ON `sessions` (`previous_hash`);
-- create index "session_provider_id_administrator_id" to table: "sessions"
CREATE INDEX `session_provider_id_administrator_id` ON `sessions` (`provider_id`, `administrator_id`);
-- create index "session_expires_at" to table: "sessions"
CREATE INDEX `session_expires_at` ON `sessions` (`expires_at`);
-- create index "sessions_administrator_id" to table: "sessions"
CREATE INDEX `sessions_administrator_id` ON `sessions` (`administrator_id`);
-- create "sign_in_throttles" table
CREATE TABLE `sign_in_throttles` (`id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `subject` text NOT NULL, `failures` integer NOT NULL DEFAULT (0), `window_started_at` datetime NOT NULL, `blocked_until` datetime NULL, PRIMARY KEY (`id`));
-- create index "signinthrottle_subject" to table: "sign_in_throttles"
CREATE UNIQUE INDEX `signinthrottle_subject` ON `sign_in_throttles` (`subject`);
-- create index "signinthrottle_updated_at" to table: "sign_in_throttles"
CREATE INDEX `signinthrottle_updated_at` ON `sign_in_throttles` (`updated_at`);
-- create "signing_keys" table
CREATE TABLE `signing_keys` (`id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `kid` text NOT NULL, `state` text NOT NULL, `public_key` blob NOT NULL, `private_key` blob NOT NULL, `activated_at` datetime NULL, `retired_at` datetime NULL, PRIMARY KEY (`id`));
-- create index "signingkey_kid" to table: "signing_keys"
CREATE UNIQUE INDEX `signingkey_kid` ON `signing_keys` (`kid`);
-- create "system_log_events" table
CREATE TABLE `system_log_events` (`id` text NOT NULL, `provider_id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `published` datetime NOT NULL, `event_type` text NOT NULL, `severity` text NOT NULL DEFAULT ('INFO'), `outcome` text NOT NULL, `outcome_reason` text NULL, `actor_type` text NOT NULL, `actor_id` text NULL, `actor_display_name` text NULL, `api_key_id` text NULL, `targets` json NULL, `client_address` text NULL, `user_agent` text NULL, `request_id` text NULL, `organization_id` text NULL, PRIMARY KEY (`id`), CONSTRAINT `system_log_events_organizations_organization` FOREIGN KEY (`provider_id`, `organization_id`) REFERENCES `organizations` (`provider_id`, `id`) ON DELETE CASCADE, CONSTRAINT `system_log_events_providers_provider` FOREIGN KEY (`provider_id`) REFERENCES `providers` (`id`) ON DELETE CASCADE);
-- create index "systemlogevent_organization_id_id" to table: "system_log_events"
CREATE INDEX `systemlogevent_organization_id_id` ON `system_log_events` (`organization_id`, `id`);
-- create index "systemlogevent_provider_id_id" to table: "system_log_events"
CREATE UNIQUE INDEX `systemlogevent_provider_id_id` ON `system_log_events` (`provider_id`, `id`);
-- create index "systemlogevent_provider_id_published_id" to table: "system_log_events"
CREATE INDEX `systemlogevent_provider_id_published_id` ON `system_log_events` (`provider_id`, `published`, `id`);
-- create index "systemlogevent_organization_id_published_id" to table: "system_log_events"
CREATE INDEX `systemlogevent_organization_id_published_id` ON `system_log_events` (`organization_id`, `published`, `id`);
-- create index "systemlogevent_provider_id_event_type_published" to table: "system_log_events"
CREATE INDEX `systemlogevent_provider_id_event_type_published` ON `system_log_events` (`provider_id`, `event_type`, `published`);
-- create index "systemlogevent_provider_id_actor_id_published" to table: "system_log_events"
CREATE INDEX `systemlogevent_provider_id_actor_id_published` ON `system_log_events` (`provider_id`, `actor_id`, `published`);
-- create "tickets" table
CREATE TABLE `tickets` (`id` text NOT NULL, `provider_id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `group_key` text NOT NULL, `epoch` integer NOT NULL DEFAULT (1), `storm` bool NOT NULL DEFAULT (false), `marker` text NOT NULL, `status` text NOT NULL DEFAULT ('PENDING'), `external_id` text NULL, `external_number` text NULL, `external_url` text NULL, `external_status` text NULL, `external_assignee` text NULL, `initial_status` text NULL, `initial_assignee` text NULL, `started` bool NOT NULL DEFAULT (false), `mirrored_at` datetime NULL, `closed_at` datetime NULL, `closed_by_technician` bool NOT NULL DEFAULT (false), `external_company_id` text NULL, `due_at` datetime NULL, `last_error` text NULL, `attempts` integer NOT NULL DEFAULT (0), `next_attempt_at` datetime NULL, `lease` text NULL, `lease_until` datetime NULL, `organization_id` text NOT NULL, `integration_id` text NOT NULL, `alert_id` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `tickets_organizations_organization` FOREIGN KEY (`provider_id`, `organization_id`) REFERENCES `organizations` (`provider_id`, `id`) ON DELETE CASCADE, CONSTRAINT `tickets_ticketing_integrations_integration` FOREIGN KEY (`provider_id`, `integration_id`) REFERENCES `ticketing_integrations` (`provider_id`, `id`) ON DELETE CASCADE, CONSTRAINT `tickets_alerts_alert` FOREIGN KEY (`organization_id`, `alert_id`) REFERENCES `alerts` (`organization_id`, `id`) ON DELETE CASCADE);
-- create index "ticket_organization_id_id" to table: "tickets"
CREATE UNIQUE INDEX `ticket_organization_id_id` ON `tickets` (`organization_id`, `id`);
-- create index "ticket_provider_id_id" to table: "tickets"
CREATE INDEX `ticket_provider_id_id` ON `tickets` (`provider_id`, `id`);
-- create index "ticket_organization_id_integration_id_marker" to table: "tickets"
CREATE UNIQUE INDEX `ticket_organization_id_integration_id_marker` ON `tickets` (`organization_id`, `integration_id`, `marker`);
-- create index "ticket_organization_id_integration_id_group_key_epoch" to table: "tickets"
CREATE UNIQUE INDEX `ticket_organization_id_integration_id_group_key_epoch` ON `tickets` (`organization_id`, `integration_id`, `group_key`, `epoch`);
-- create index "ticket_one_living_of_group" to table: "tickets"
CREATE UNIQUE INDEX `ticket_one_living_of_group` ON `tickets` (`organization_id`, `integration_id`, `group_key`) WHERE status <> 'CLOSED' AND status <> 'CANCELLED';
-- create index "ticket_organization_id_integration_id_created_at" to table: "tickets"
CREATE INDEX `ticket_organization_id_integration_id_created_at` ON `tickets` (`organization_id`, `integration_id`, `created_at`);
-- create index "ticket_integration_id_external_id" to table: "tickets"
CREATE INDEX `ticket_integration_id_external_id` ON `tickets` (`integration_id`, `external_id`);
-- create index "ticket_organization_id_alert_id" to table: "tickets"
CREATE INDEX `ticket_organization_id_alert_id` ON `tickets` (`organization_id`, `alert_id`);
-- create index "ticket_alert_id_id" to table: "tickets"
CREATE INDEX `ticket_alert_id_id` ON `tickets` (`alert_id`, `id`);
-- create index "ticket_provider_id_integration_id_id" to table: "tickets"
CREATE INDEX `ticket_provider_id_integration_id_id` ON `tickets` (`provider_id`, `integration_id`, `id`);
-- create index "ticket_provider_id_status_id" to table: "tickets"
CREATE INDEX `ticket_provider_id_status_id` ON `tickets` (`provider_id`, `status`, `id`);
-- create index "ticket_living_at_vendor" to table: "tickets"
CREATE INDEX `ticket_living_at_vendor` ON `tickets` (`mirrored_at`) WHERE external_id <> '' AND status <> 'CLOSED' AND status <> 'CANCELLED';
-- create index "ticket_due" to table: "tickets"
CREATE INDEX `ticket_due` ON `tickets` (`organization_id`, `integration_id`, `next_attempt_at`) WHERE next_attempt_at IS NOT NULL;
-- create "ticket_alerts" table
CREATE TABLE `ticket_alerts` (`id` text NOT NULL, `provider_id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `noted_at` datetime NULL, `ended_at` datetime NULL, `organization_id` text NOT NULL, `ticket_id` text NOT NULL, `alert_id` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `ticket_alerts_organizations_organization` FOREIGN KEY (`provider_id`, `organization_id`) REFERENCES `organizations` (`provider_id`, `id`) ON DELETE CASCADE, CONSTRAINT `ticket_alerts_tickets_ticket` FOREIGN KEY (`organization_id`, `ticket_id`) REFERENCES `tickets` (`organization_id`, `id`) ON DELETE CASCADE, CONSTRAINT `ticket_alerts_alerts_alert` FOREIGN KEY (`organization_id`, `alert_id`) REFERENCES `alerts` (`organization_id`, `id`) ON DELETE CASCADE);
-- create index "ticketalert_organization_id_id" to table: "ticket_alerts"
CREATE UNIQUE INDEX `ticketalert_organization_id_id` ON `ticket_alerts` (`organization_id`, `id`);
-- create index "ticketalert_provider_id_id" to table: "ticket_alerts"
CREATE INDEX `ticketalert_provider_id_id` ON `ticket_alerts` (`provider_id`, `id`);
-- create index "ticketalert_organization_id_ticket_id_alert_id" to table: "ticket_alerts"
CREATE UNIQUE INDEX `ticketalert_organization_id_ticket_id_alert_id` ON `ticket_alerts` (`organization_id`, `ticket_id`, `alert_id`);
-- create index "ticketalert_ticket_id_id" to table: "ticket_alerts"
CREATE INDEX `ticketalert_ticket_id_id` ON `ticket_alerts` (`ticket_id`, `id`);
-- create index "ticketalert_alert_id_id" to table: "ticket_alerts"
CREATE INDEX `ticketalert_alert_id_id` ON `ticket_alerts` (`alert_id`, `id`);
-- create index "ticket_alert_to_be_noted" to table: "ticket_alerts"
CREATE INDEX `ticket_alert_to_be_noted` ON `ticket_alerts` (`ticket_id`) WHERE noted_at IS NULL;
-- create index "ticket_alert_open" to table: "ticket_alerts"
CREATE INDEX `ticket_alert_open` ON `ticket_alerts` (`ticket_id`, `alert_id`) WHERE ended_at IS NULL;
-- create "ticket_deliveries" table
CREATE TABLE `ticket_deliveries` (`id` text NOT NULL, `provider_id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `sequence` integer NOT NULL, `action` text NOT NULL, `state` text NOT NULL DEFAULT ('PENDING'), `content` json NOT NULL, `marker` text NOT NULL, `attempts` integer NOT NULL DEFAULT (0), `lookups` integer NOT NULL DEFAULT (0), `last_error` text NULL, `not_before` datetime NULL, `attempted_at` datetime NULL, `delivered_at` datetime NULL, `organization_id` text NOT NULL, `ticket_id` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `ticket_deliveries_organizations_organization` FOREIGN KEY (`provider_id`, `organization_id`) REFERENCES `organizations` (`provider_id`, `id`) ON DELETE CASCADE, CONSTRAINT `ticket_deliveries_tickets_ticket` FOREIGN KEY (`organization_id`, `ticket_id`) REFERENCES `tickets` (`organization_id`, `id`) ON DELETE CASCADE);
-- create index "ticketdelivery_organization_id_id" to table: "ticket_deliveries"
CREATE UNIQUE INDEX `ticketdelivery_organization_id_id` ON `ticket_deliveries` (`organization_id`, `id`);
-- create index "ticketdelivery_provider_id_id" to table: "ticket_deliveries"
CREATE INDEX `ticketdelivery_provider_id_id` ON `ticket_deliveries` (`provider_id`, `id`);
-- create index "ticketdelivery_organization_id_ticket_id_sequence" to table: "ticket_deliveries"
CREATE UNIQUE INDEX `ticketdelivery_organization_id_ticket_id_sequence` ON `ticket_deliveries` (`organization_id`, `ticket_id`, `sequence`);
-- create index "ticketdelivery_ticket_id_id" to table: "ticket_deliveries"
CREATE INDEX `ticketdelivery_ticket_id_id` ON `ticket_deliveries` (`ticket_id`, `id`);
-- create index "ticketdelivery_provider_id_state_id" to table: "ticket_deliveries"
CREATE INDEX `ticketdelivery_provider_id_state_id` ON `ticket_deliveries` (`provider_id`, `state`, `id`);
-- create index "ticket_delivery_sent_again" to table: "ticket_deliveries"
CREATE INDEX `ticket_delivery_sent_again` ON `ticket_deliveries` (`attempted_at`) WHERE attempts >= 2;
-- create index "ticket_delivery_in_doubt" to table: "ticket_deliveries"
CREATE INDEX `ticket_delivery_in_doubt` ON `ticket_deliveries` (`attempted_at`) WHERE action = 'CREATE' AND (state = 'DEAD' OR state = 'CANCELLED');
-- create "ticketing_alert_configurations" table
CREATE TABLE `ticketing_alert_configurations` (`id` text NOT NULL, `provider_id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `alert_type` text NOT NULL, `should_create_tickets` bool NOT NULL DEFAULT (false), `due_days` integer NULL, `settings` json NULL, `rules` json NULL, `organization_id` text NULL, `integration_id` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `ticketing_alert_configurations_organizations_organization` FOREIGN KEY (`provider_id`, `organization_id`) REFERENCES `organizations` (`provider_id`, `id`) ON DELETE CASCADE, CONSTRAINT `ticketing_alert_configurations__f7944885d4ae7c5eb9e8660686cfe396` FOREIGN KEY (`provider_id`, `integration_id`) REFERENCES `ticketing_integrations` (`provider_id`, `id`) ON DELETE CASCADE, CONSTRAINT `ticketing_alert_configurations_providers_provider` FOREIGN KEY (`provider_id`) REFERENCES `providers` (`id`) ON DELETE CASCADE);
-- create index "ticketingalertconfiguration_organization_id_id" to table: "ticketing_alert_configurations"
CREATE INDEX `ticketingalertconfiguration_organization_id_id` ON `ticketing_alert_configurations` (`organization_id`, `id`);
-- create index "ticketingalertconfiguration_provider_id_id" to table: "ticketing_alert_configurations"
CREATE UNIQUE INDEX `ticketingalertconfiguration_provider_id_id` ON `ticketing_alert_configurations` (`provider_id`, `id`);
-- create index "ticketing_alert_configuration_default" to table: "ticketing_alert_configurations"
CREATE UNIQUE INDEX `ticketing_alert_configuration_default` ON `ticketing_alert_configurations` (`provider_id`, `integration_id`, `alert_type`) WHERE organization_id IS NULL;
-- create index "ticketing_alert_configuration_of_organization" to table: "ticketing_alert_configurations"
CREATE UNIQUE INDEX `ticketing_alert_configuration_of_organization` ON `ticketing_alert_configurations` (`organization_id`, `integration_id`, `alert_type`) WHERE organization_id IS NOT NULL;
-- create index "ticketingalertconfiguration_integration_id_id" to table: "ticketing_alert_configurations"
CREATE INDEX `ticketingalertconfiguration_integration_id_id` ON `ticketing_alert_configurations` (`integration_id`, `id`);
-- create "ticketing_billing_mappings" table
CREATE TABLE `ticketing_billing_mappings` (`id` text NOT NULL, `provider_id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `external_agreement_id` text NOT NULL, `external_agreement_name` text NULL, `external_line_id` text NOT NULL, `external_line_name` text NULL, `non_billable_users` integer NOT NULL DEFAULT (0), `enabled` bool NOT NULL DEFAULT (true), `external_company_id` text NOT NULL, `written_quantity` integer NULL, `written_month` text NULL, `written_at` datetime NULL, `doubtful_at` datetime NULL, `lease_until` datetime NULL, `organization_id` text NOT NULL, `integration_id` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `ticketing_billing_mappings_organizations_organization` FOREIGN KEY (`provider_id`, `organization_id`) REFERENCES `organizations` (`provider_id`, `id`) ON DELETE CASCADE, CONSTRAINT `ticketing_billing_mappings_ticketing_integrations_integration` FOREIGN KEY (`provider_id`, `integration_id`) REFERENCES `ticketing_integrations` (`provider_id`, `id`) ON DELETE CASCADE);
-- create index "ticketingbillingmapping_organization_id_id" to table: "ticketing_billing_mappings"
CREATE UNIQUE INDEX `ticketingbillingmapping_organization_id_id` ON `ticketing_billing_mappings` (`organization_id`, `id`);
-- create index "ticketingbillingmapping_provider_id_id" to table: "ticketing_billing_mappings"
CREATE INDEX `ticketingbillingmapping_provider_id_id` ON `ticketing_billing_mappings` (`provider_id`, `id`);
-- create index "ticketingbillingmapping_organization_id_integration_id" to table: "ticketing_billing_mappings"
CREATE UNIQUE INDEX `ticketingbillingmapping_organization_id_integration_id` ON `ticketing_billing_mappings` (`organization_id`, `integration_id`);
-- create index "ticketingbillingmapping_provider_id_integration_id_id" to table: "ticketing_billing_mappings"
CREATE INDEX `ticketingbillingmapping_provider_id_integration_id_id` ON `ticketing_billing_mappings` (`provider_id`, `integration_id`, `id`);
-- create index "ticketingbillingmapping_integra_4a6ab1317fcd0d7bc6833bae624ef25e" to table: "ticketing_billing_mappings"
CREATE UNIQUE INDEX `ticketingbillingmapping_integra_4a6ab1317fcd0d7bc6833bae624ef25e` ON `ticketing_billing_mappings` (`integration_id`, `external_agreement_id`, `external_line_id`);
-- create "ticketing_company_mappings" table
CREATE TABLE `ticketing_company_mappings` (`id` text NOT NULL, `provider_id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `external_company_id` text NOT NULL, `external_company_name` text NULL, `organization_id` text NOT NULL, `integration_id` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `ticketing_company_mappings_organizations_organization` FOREIGN KEY (`provider_id`, `organization_id`) REFERENCES `organizations` (`provider_id`, `id`) ON DELETE CASCADE, CONSTRAINT `ticketing_company_mappings_ticketing_integrations_integration` FOREIGN KEY (`provider_id`, `integration_id`) REFERENCES `ticketing_integrations` (`provider_id`, `id`) ON DELETE CASCADE);
-- create index "ticketingcompanymapping_organization_id_id" to table: "ticketing_company_mappings"
CREATE UNIQUE INDEX `ticketingcompanymapping_organization_id_id` ON `ticketing_company_mappings` (`organization_id`, `id`);
-- create index "ticketingcompanymapping_provider_id_id" to table: "ticketing_company_mappings"
CREATE INDEX `ticketingcompanymapping_provider_id_id` ON `ticketing_company_mappings` (`provider_id`, `id`);
-- create index "ticketingcompanymapping_organization_id_integration_id" to table: "ticketing_company_mappings"
CREATE UNIQUE INDEX `ticketingcompanymapping_organization_id_integration_id` ON `ticketing_company_mappings` (`organization_id`, `integration_id`);
-- create index "ticketingcompanymapping_provider_id_integration_id" to table: "ticketing_company_mappings"
CREATE INDEX `ticketingcompanymapping_provider_id_integration_id` ON `ticketing_company_mappings` (`provider_id`, `integration_id`);
-- create index "ticketing_company_mappings_integration_id" to table: "ticketing_company_mappings"
CREATE INDEX `ticketing_company_mappings_integration_id` ON `ticketing_company_mappings` (`integration_id`);
-- create "ticketing_errors" table
CREATE TABLE `ticketing_errors` (`id` text NOT NULL, `provider_id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `ticket_id` text NULL, `operation` text NOT NULL, `error_type` text NOT NULL, `message` text NOT NULL, `advice` text NULL, `occurrence_count` integer NOT NULL DEFAULT (1), `last_occurred_at` datetime NOT NULL, `organization_id` text NULL, `integration_id` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `ticketing_errors_organizations_organization` FOREIGN KEY (`provider_id`, `organization_id`) REFERENCES `organizations` (`provider_id`, `id`) ON DELETE CASCADE, CONSTRAINT `ticketing_errors_ticketing_integrations_integration` FOREIGN KEY (`provider_id`, `integration_id`) REFERENCES `ticketing_integrations` (`provider_id`, `id`) ON DELETE CASCADE, CONSTRAINT `ticketing_errors_providers_provider` FOREIGN KEY (`provider_id`) REFERENCES `providers` (`id`) ON DELETE CASCADE);
-- create index "ticketingerror_organization_id_id" to table: "ticketing_errors"
CREATE INDEX `ticketingerror_organization_id_id` ON `ticketing_errors` (`organization_id`, `id`);
-- create index "ticketingerror_provider_id_id" to table: "ticketing_errors"
CREATE UNIQUE INDEX `ticketingerror_provider_id_id` ON `ticketing_errors` (`provider_id`, `id`);
-- create index "ticketingerror_provider_id_integration_id_id" to table: "ticketing_errors"
CREATE INDEX `ticketingerror_provider_id_integration_id_id` ON `ticketing_errors` (`provider_id`, `integration_id`, `id`);
-- create index "ticketingerror_integration_id_ticket_id" to table: "ticketing_errors"
CREATE INDEX `ticketingerror_integration_id_ticket_id` ON `ticketing_errors` (`integration_id`, `ticket_id`);
-- create index "ticketingerror_last_occurred_at" to table: "ticketing_errors"
CREATE INDEX `ticketingerror_last_occurred_at` ON `ticketing_errors` (`last_occurred_at`);
-- create "ticketing_integrations" table
CREATE TABLE `ticketing_integrations` (`id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `kind` text NOT NULL, `name` text NOT NULL, `account` text NOT NULL, `base_url` text NULL, `credentials` blob NOT NULL, `status` text NOT NULL DEFAULT ('ACTIVE'), `automatic_ticketing` bool NOT NULL DEFAULT (true), `company_type_ids` json NULL, `catch_all_company_id` text NULL, `catch_all_company_name` text NULL, `rules` json NULL, `storm_threshold` integer NOT NULL DEFAULT (25), `storm_minutes` integer NOT NULL DEFAULT (10), `webhook_secret` blob NULL, `webhook_external_id` text NULL, `polled_until` datetime NULL, `verified_at` datetime NULL, `last_error` text NULL, `last_error_at` datetime NULL, `provider_id` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `ticketing_integrations_providers_provider` FOREIGN KEY (`provider_id`) REFERENCES `providers` (`id`) ON DELETE CASCADE);
-- create index "ticketingintegration_provider_id_id" to table: "ticketing_integrations"
CREATE UNIQUE INDEX `ticketingintegration_provider_id_id` ON `ticketing_integrations` (`provider_id`, `id`);
-- create index "ticketingintegration_provider_id_kind_account" to table: "ticketing_integrations"
CREATE UNIQUE INDEX `ticketingintegration_provider_id_kind_account` ON `ticketing_integrations` (`provider_id`, `kind`, `account`);
-- create "ticketing_usage_records" table
CREATE TABLE `ticketing_usage_records` (`id` text NOT NULL, `provider_id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `day` text NOT NULL, `users` integer NOT NULL, `high_water` integer NOT NULL, `quantity` integer NOT NULL, `status` text NOT NULL DEFAULT ('PENDING'), `attempts` integer NOT NULL DEFAULT (0), `last_error` text NULL, `written_at` datetime NULL, `next_attempt_at` datetime NULL, `organization_id` text NOT NULL, `integration_id` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `ticketing_usage_records_organizations_organization` FOREIGN KEY (`provider_id`, `organization_id`) REFERENCES `organizations` (`provider_id`, `id`) ON DELETE CASCADE, CONSTRAINT `ticketing_usage_records_ticketing_integrations_integration` FOREIGN KEY (`provider_id`, `integration_id`) REFERENCES `ticketing_integrations` (`provider_id`, `id`) ON DELETE CASCADE);
-- create index "ticketingusagerecord_organization_id_id" to table: "ticketing_usage_records"
CREATE UNIQUE INDEX `ticketingusagerecord_organization_id_id` ON `ticketing_usage_records` (`organization_id`, `id`);
-- create index "ticketingusagerecord_provider_id_id" to table: "ticketing_usage_records"
CREATE INDEX `ticketingusagerecord_provider_id_id` ON `ticketing_usage_records` (`provider_id`, `id`);
-- create index "ticketingusagerecord_organization_id_integration_id_day" to table: "ticketing_usage_records"
CREATE UNIQUE INDEX `ticketingusagerecord_organization_id_integration_id_day` ON `ticketing_usage_records` (`organization_id`, `integration_id`, `day`);
-- create index "ticketingusagerecord_provider_id_integration_id_id" to table: "ticketing_usage_records"
CREATE INDEX `ticketingusagerecord_provider_id_integration_id_id` ON `ticketing_usage_records` (`provider_id`, `integration_id`, `id`);
-- create index "ticketingusagerecord_provider_id_status_id" to table: "ticketing_usage_records"
CREATE INDEX `ticketingusagerecord_provider_id_status_id` ON `ticketing_usage_records` (`provider_id`, `status`, `id`);
-- create index "ticketingusagerecord_provider_id_day_id" to table: "ticketing_usage_records"
CREATE INDEX `ticketingusagerecord_provider_id_day_id` ON `ticketing_usage_records` (`provider_id`, `day`, `id`);
-- create index "ticketingusagerecord_next_attempt_at" to table: "ticketing_usage_records"
CREATE INDEX `ticketingusagerecord_next_attempt_at` ON `ticketing_usage_records` (`next_attempt_at`);
-- create index "ticketing_usage_records_integration_id" to table: "ticketing_usage_records"
CREATE INDEX `ticketing_usage_records_integration_id` ON `ticketing_usage_records` (`integration_id`);
-- create "ticketing_webhook_receipts" table
CREATE TABLE `ticketing_webhook_receipts` (`id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `event` text NOT NULL, `provider_id` text NOT NULL, `integration_id` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `ticketing_webhook_receipts_providers_provider` FOREIGN KEY (`provider_id`) REFERENCES `providers` (`id`) ON DELETE CASCADE, CONSTRAINT `ticketing_webhook_receipts_ticketing_integrations_integration` FOREIGN KEY (`provider_id`, `integration_id`) REFERENCES `ticketing_integrations` (`provider_id`, `id`) ON DELETE CASCADE);
-- create index "ticketingwebhookreceipt_provider_id_id" to table: "ticketing_webhook_receipts"
CREATE UNIQUE INDEX `ticketingwebhookreceipt_provider_id_id` ON `ticketing_webhook_receipts` (`provider_id`, `id`);
-- create index "ticketingwebhookreceipt_provider_id_integration_id_event" to table: "ticketing_webhook_receipts"
CREATE UNIQUE INDEX `ticketingwebhookreceipt_provider_id_integration_id_event` ON `ticketing_webhook_receipts` (`provider_id`, `integration_id`, `event`);
-- create index "ticketingwebhookreceipt_created_at" to table: "ticketing_webhook_receipts"
CREATE INDEX `ticketingwebhookreceipt_created_at` ON `ticketing_webhook_receipts` (`created_at`);
-- create index "ticketing_webhook_receipts_integration_id" to table: "ticketing_webhook_receipts"
CREATE INDEX `ticketing_webhook_receipts_integration_id` ON `ticketing_webhook_receipts` (`integration_id`);
-- create "users" table
CREATE TABLE `users` (`id` text NOT NULL, `provider_id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `login` text NOT NULL, `email` text NOT NULL, `first_name` text NULL, `last_name` text NULL, `status` text NOT NULL DEFAULT ('STAGED'), `organization_id` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `users_organizations_organization` FOREIGN KEY (`provider_id`, `organization_id`) REFERENCES `organizations` (`provider_id`, `id`) ON DELETE CASCADE);
-- create index "user_organization_id_id" to table: "users"
CREATE UNIQUE INDEX `user_organization_id_id` ON `users` (`organization_id`, `id`);
-- create index "user_provider_id_id" to table: "users"
CREATE INDEX `user_provider_id_id` ON `users` (`provider_id`, `id`);
-- create index "user_organization_id_login" to table: "users"
CREATE UNIQUE INDEX `user_organization_id_login` ON `users` (`organization_id`, `login`);
-- create index "user_organization_id_email" to table: "users"
CREATE INDEX `user_organization_id_email` ON `users` (`organization_id`, `email`);
-- create index "user_provider_id_login_id" to table: "users"
CREATE INDEX `user_provider_id_login_id` ON `users` (`provider_id`, `login`, `id`);
-- create index "user_provider_id_email" to table: "users"
CREATE INDEX `user_provider_id_email` ON `users` (`provider_id`, `email`);
-- create index "user_email" to table: "users"
CREATE INDEX `user_email` ON `users` (`email`);

-- +goose Down
-- reverse: create index "user_email" to table: "users"
DROP INDEX `user_email`;
-- reverse: create index "user_provider_id_email" to table: "users"
DROP INDEX `user_provider_id_email`;
-- reverse: create index "user_provider_id_login_id" to table: "users"
DROP INDEX `user_provider_id_login_id`;
-- reverse: create index "user_organization_id_email" to table: "users"
DROP INDEX `user_organization_id_email`;
-- reverse: create index "user_organization_id_login" to table: "users"
DROP INDEX `user_organization_id_login`;
-- reverse: create index "user_provider_id_id" to table: "users"
DROP INDEX `user_provider_id_id`;
-- reverse: create index "user_organization_id_id" to table: "users"
DROP INDEX `user_organization_id_id`;
-- reverse: create "users" table
DROP TABLE `users`;
-- reverse: create index "ticketing_webhook_receipts_integration_id" to table: "ticketing_webhook_receipts"
DROP INDEX `ticketing_webhook_receipts_integration_id`;
-- reverse: create index "ticketingwebhookreceipt_created_at" to table: "ticketing_webhook_receipts"
DROP INDEX `ticketingwebhookreceipt_created_at`;
-- reverse: create index "ticketingwebhookreceipt_provider_id_integration_id_event" to table: "ticketing_webhook_receipts"
DROP INDEX `ticketingwebhookreceipt_provider_id_integration_id_event`;
-- reverse: create index "ticketingwebhookreceipt_provider_id_id" to table: "ticketing_webhook_receipts"
DROP INDEX `ticketingwebhookreceipt_provider_id_id`;
-- reverse: create "ticketing_webhook_receipts" table
DROP TABLE `ticketing_webhook_receipts`;
-- reverse: create index "ticketing_usage_records_integration_id" to table: "ticketing_usage_records"
DROP INDEX `ticketing_usage_records_integration_id`;
-- reverse: create index "ticketingusagerecord_next_attempt_at" to table: "ticketing_usage_records"
DROP INDEX `ticketingusagerecord_next_attempt_at`;
-- reverse: create index "ticketingusagerecord_provider_id_day_id" to table: "ticketing_usage_records"
DROP INDEX `ticketingusagerecord_provider_id_day_id`;
-- reverse: create index "ticketingusagerecord_provider_id_status_id" to table: "ticketing_usage_records"
DROP INDEX `ticketingusagerecord_provider_id_status_id`;
-- reverse: create index "ticketingusagerecord_provider_id_integration_id_id" to table: "ticketing_usage_records"
DROP INDEX `ticketingusagerecord_provider_id_integration_id_id`;
-- reverse: create index "ticketingusagerecord_organization_id_integration_id_day" to table: "ticketing_usage_records"
DROP INDEX `ticketingusagerecord_organization_id_integration_id_day`;
-- reverse: create index "ticketingusagerecord_provider_id_id" to table: "ticketing_usage_records"
DROP INDEX `ticketingusagerecord_provider_id_id`;
-- reverse: create index "ticketingusagerecord_organization_id_id" to table: "ticketing_usage_records"
DROP INDEX `ticketingusagerecord_organization_id_id`;
-- reverse: create "ticketing_usage_records" table
DROP TABLE `ticketing_usage_records`;
-- reverse: create index "ticketingintegration_provider_id_kind_account" to table: "ticketing_integrations"
DROP INDEX `ticketingintegration_provider_id_kind_account`;
-- reverse: create index "ticketingintegration_provider_id_id" to table: "ticketing_integrations"
DROP INDEX `ticketingintegration_provider_id_id`;
-- reverse: create "ticketing_integrations" table
DROP TABLE `ticketing_integrations`;
-- reverse: create index "ticketingerror_last_occurred_at" to table: "ticketing_errors"
DROP INDEX `ticketingerror_last_occurred_at`;
-- reverse: create index "ticketingerror_integration_id_ticket_id" to table: "ticketing_errors"
DROP INDEX `ticketingerror_integration_id_ticket_id`;
-- reverse: create index "ticketingerror_provider_id_integration_id_id" to table: "ticketing_errors"
DROP INDEX `ticketingerror_provider_id_integration_id_id`;
-- reverse: create index "ticketingerror_provider_id_id" to table: "ticketing_errors"
DROP INDEX `ticketingerror_provider_id_id`;
-- reverse: create index "ticketingerror_organization_id_id" to table: "ticketing_errors"
DROP INDEX `ticketingerror_organization_id_id`;
-- reverse: create "ticketing_errors" table
DROP TABLE `ticketing_errors`;
-- reverse: create index "ticketing_company_mappings_integration_id" to table: "ticketing_company_mappings"
DROP INDEX `ticketing_company_mappings_integration_id`;
-- reverse: create index "ticketingcompanymapping_provider_id_integration_id" to table: "ticketing_company_mappings"
DROP INDEX `ticketingcompanymapping_provider_id_integration_id`;
-- reverse: create index "ticketingcompanymapping_organization_id_integration_id" to table: "ticketing_company_mappings"
DROP INDEX `ticketingcompanymapping_organization_id_integration_id`;
-- reverse: create index "ticketingcompanymapping_provider_id_id" to table: "ticketing_company_mappings"
DROP INDEX `ticketingcompanymapping_provider_id_id`;
-- reverse: create index "ticketingcompanymapping_organization_id_id" to table: "ticketing_company_mappings"
DROP INDEX `ticketingcompanymapping_organization_id_id`;
-- reverse: create "ticketing_company_mappings" table
DROP TABLE `ticketing_company_mappings`;
-- reverse: create index "ticketingbillingmapping_integra_4a6ab1317fcd0d7bc6833bae624ef25e" to table: "ticketing_billing_mappings"
DROP INDEX `ticketingbillingmapping_integra_4a6ab1317fcd0d7bc6833bae624ef25e`;
-- reverse: create index "ticketingbillingmapping_provider_id_integration_id_id" to table: "ticketing_billing_mappings"
DROP INDEX `ticketingbillingmapping_provider_id_integration_id_id`;
-- reverse: create index "ticketingbillingmapping_organization_id_integration_id" to table: "ticketing_billing_mappings"
DROP INDEX `ticketingbillingmapping_organization_id_integration_id`;
-- reverse: create index "ticketingbillingmapping_provider_id_id" to table: "ticketing_billing_mappings"
DROP INDEX `ticketingbillingmapping_provider_id_id`;
-- reverse: create index "ticketingbillingmapping_organization_id_id" to table: "ticketing_billing_mappings"
DROP INDEX `ticketingbillingmapping_organization_id_id`;
-- reverse: create "ticketing_billing_mappings" table
DROP TABLE `ticketing_billing_mappings`;
-- reverse: create index "ticketingalertconfiguration_integration_id_id" to table: "ticketing_alert_configurations"
DROP INDEX `ticketingalertconfiguration_integration_id_id`;
-- reverse: create index "ticketing_alert_configuration_of_organization" to table: "ticketing_alert_configurations"
DROP INDEX `ticketing_alert_configuration_of_organization`;
-- reverse: create index "ticketing_alert_configuration_default" to table: "ticketing_alert_configurations"
DROP INDEX `ticketing_alert_configuration_default`;
-- reverse: create index "ticketingalertconfiguration_provider_id_id" to table: "ticketing_alert_configurations"
DROP INDEX `ticketingalertconfiguration_provider_id_id`;
-- reverse: create index "ticketingalertconfiguration_organization_id_id" to table: "ticketing_alert_configurations"
DROP INDEX `ticketingalertconfiguration_organization_id_id`;
-- reverse: create "ticketing_alert_configurations" table
DROP TABLE `ticketing_alert_configurations`;
-- reverse: create index "ticket_delivery_in_doubt" to table: "ticket_deliveries"
DROP INDEX `ticket_delivery_in_doubt`;
-- reverse: create index "ticket_delivery_sent_again" to table: "ticket_deliveries"
DROP INDEX `ticket_delivery_sent_again`;
-- reverse: create index "ticketdelivery_provider_id_state_id" to table: "ticket_deliveries"
DROP INDEX `ticketdelivery_provider_id_state_id`;
-- reverse: create index "ticketdelivery_ticket_id_id" to table: "ticket_deliveries"
DROP INDEX `ticketdelivery_ticket_id_id`;
-- reverse: create index "ticketdelivery_organization_id_ticket_id_sequence" to table: "ticket_deliveries"
DROP INDEX `ticketdelivery_organization_id_ticket_id_sequence`;
-- reverse: create index "ticketdelivery_provider_id_id" to table: "ticket_deliveries"
DROP INDEX `ticketdelivery_provider_id_id`;
-- reverse: create index "ticketdelivery_organization_id_id" to table: "ticket_deliveries"
DROP INDEX `ticketdelivery_organization_id_id`;
-- reverse: create "ticket_deliveries" table
DROP TABLE `ticket_deliveries`;
-- reverse: create index "ticket_alert_open" to table: "ticket_alerts"
DROP INDEX `ticket_alert_open`;
-- reverse: create index "ticket_alert_to_be_noted" to table: "ticket_alerts"
DROP INDEX `ticket_alert_to_be_noted`;
-- reverse: create index "ticketalert_alert_id_id" to table: "ticket_alerts"
DROP INDEX `ticketalert_alert_id_id`;
-- reverse: create index "ticketalert_ticket_id_id" to table: "ticket_alerts"
DROP INDEX `ticketalert_ticket_id_id`;
-- reverse: create index "ticketalert_organization_id_ticket_id_alert_id" to table: "ticket_alerts"
DROP INDEX `ticketalert_organization_id_ticket_id_alert_id`;
-- reverse: create index "ticketalert_provider_id_id" to table: "ticket_alerts"
DROP INDEX `ticketalert_provider_id_id`;
-- reverse: create index "ticketalert_organization_id_id" to table: "ticket_alerts"
DROP INDEX `ticketalert_organization_id_id`;
-- reverse: create "ticket_alerts" table
DROP TABLE `ticket_alerts`;
-- reverse: create index "ticket_due" to table: "tickets"
DROP INDEX `ticket_due`;
-- reverse: create index "ticket_living_at_vendor" to table: "tickets"
DROP INDEX `ticket_living_at_vendor`;
-- reverse: create index "ticket_provider_id_status_id" to table: "tickets"
DROP INDEX `ticket_provider_id_status_id`;
-- reverse: create index "ticket_provider_id_integration_id_id" to table: "tickets"
DROP INDEX `ticket_provider_id_integration_id_id`;
-- reverse: create index "ticket_alert_id_id" to table: "tickets"
DROP INDEX `ticket_alert_id_id`;
-- reverse: create index "ticket_organization_id_alert_id" to table: "tickets"
DROP INDEX `ticket_organization_id_alert_id`;
-- reverse: create index "ticket_integration_id_external_id" to table: "tickets"
DROP INDEX `ticket_integration_id_external_id`;
-- reverse: create index "ticket_organization_id_integration_id_created_at" to table: "tickets"
DROP INDEX `ticket_organization_id_integration_id_created_at`;
-- reverse: create index "ticket_one_living_of_group" to table: "tickets"
DROP INDEX `ticket_one_living_of_group`;
-- reverse: create index "ticket_organization_id_integration_id_group_key_epoch" to table: "tickets"
DROP INDEX `ticket_organization_id_integration_id_group_key_epoch`;
-- reverse: create index "ticket_organization_id_integration_id_marker" to table: "tickets"
DROP INDEX `ticket_organization_id_integration_id_marker`;
-- reverse: create index "ticket_provider_id_id" to table: "tickets"
DROP INDEX `ticket_provider_id_id`;
-- reverse: create index "ticket_organization_id_id" to table: "tickets"
DROP INDEX `ticket_organization_id_id`;
-- reverse: create "tickets" table
DROP TABLE `tickets`;
-- reverse: create index "systemlogevent_provider_id_actor_id_published" to table: "system_log_events"
DROP INDEX `systemlogevent_provider_id_actor_id_published`;
-- reverse: create index "systemlogevent_provider_id_event_type_published" to table: "system_log_events"
DROP INDEX `systemlogevent_provider_id_event_type_published`;
-- reverse: create index "systemlogevent_organization_id_published_id" to table: "system_log_events"
DROP INDEX `systemlogevent_organization_id_published_id`;
-- reverse: create index "systemlogevent_provider_id_published_id" to table: "system_log_events"
DROP INDEX `systemlogevent_provider_id_published_id`;
-- reverse: create index "systemlogevent_provider_id_id" to table: "system_log_events"
DROP INDEX `systemlogevent_provider_id_id`;
-- reverse: create index "systemlogevent_organization_id_id" to table: "system_log_events"
DROP INDEX `systemlogevent_organization_id_id`;
-- reverse: create "system_log_events" table
DROP TABLE `system_log_events`;
-- reverse: create index "signingkey_kid" to table: "signing_keys"
DROP INDEX `signingkey_kid`;
-- reverse: create "signing_keys" table
DROP TABLE `signing_keys`;
-- reverse: create index "signinthrottle_updated_at" to table: "sign_in_throttles"
DROP INDEX `signinthrottle_updated_at`;
-- reverse: create index "signinthrottle_subject" to table: "sign_in_throttles"
DROP INDEX `signinthrottle_subject`;
-- reverse: create "sign_in_throttles" table
DROP TABLE `sign_in_throttles`;
-- reverse: create index "sessions_administrator_id" to table: "sessions"
DROP INDEX `sessions_administrator_id`;
-- reverse: create index "session_expires_at" to table: "sessions"
DROP INDEX `session_expires_at`;
-- reverse: create index "session_provider_id_administrator_id" to table: "sessions"
DROP INDEX `session_provider_id_administrator_id`;
-- reverse: create index "session_previous_hash" to table: "sessions"
DROP INDEX `session_previous_hash`;
-- reverse: create index "session_refresh_hash" to table: "sessions"
DROP INDEX `session_refresh_hash`;
-- reverse: create index "session_provider_id_id" to table: "sessions"
DROP INDEX `session_provider_id_id`;
-- reverse: create "sessions" table
DROP TABLE `sessions`;
-- reverse: create index "scep_challenges_user_id" to table: "scep_challenges"
DROP INDEX `scep_challenges_user_id`;
-- reverse: create index "scep_challenges_device_id" to table: "scep_challenges"
DROP INDEX `scep_challenges_device_id`;
-- reverse: create index "scep_challenges_enrollment_id" to table: "scep_challenges"
DROP INDEX `scep_challenges_enrollment_id`;
-- reverse: create index "scepchallenge_expires_at" to table: "scep_challenges"
DROP INDEX `scepchallenge_expires_at`;
-- reverse: create index "scepchallenge_organization_id_user_id" to table: "scep_challenges"
DROP INDEX `scepchallenge_organization_id_user_id`;
-- reverse: create index "scepchallenge_organization_id_enrollment_id" to table: "scep_challenges"
DROP INDEX `scepchallenge_organization_id_enrollment_id`;
-- reverse: create index "scepchallenge_organization_id_device_id" to table: "scep_challenges"
DROP INDEX `scepchallenge_organization_id_device_id`;
-- reverse: create index "scepchallenge_organization_id_challenge_hash" to table: "scep_challenges"
DROP INDEX `scepchallenge_organization_id_challenge_hash`;
-- reverse: create index "scepchallenge_provider_id_id" to table: "scep_challenges"
DROP INDEX `scepchallenge_provider_id_id`;
-- reverse: create index "scepchallenge_organization_id_id" to table: "scep_challenges"
DROP INDEX `scepchallenge_organization_id_id`;
-- reverse: create "scep_challenges" table
DROP TABLE `scep_challenges`;
-- reverse: create index "role_provider_id_name" to table: "roles"
DROP INDEX `role_provider_id_name`;
-- reverse: create index "role_provider_id_id" to table: "roles"
DROP INDEX `role_provider_id_id`;
-- reverse: create index "role_organization_id_id" to table: "roles"
DROP INDEX `role_organization_id_id`;
-- reverse: create "roles" table
DROP TABLE `roles`;
-- reverse: create index "rateslot_updated_at" to table: "rate_slots"
DROP INDEX `rateslot_updated_at`;
-- reverse: create index "rateslot_key_number" to table: "rate_slots"
DROP INDEX `rateslot_key_number`;
-- reverse: create "rate_slots" table
DROP TABLE `rate_slots`;
-- reverse: create index "rateshare_updated_at" to table: "rate_shares"
DROP INDEX `rateshare_updated_at`;
-- reverse: create index "rateshare_key_slice" to table: "rate_shares"
DROP INDEX `rateshare_key_slice`;
-- reverse: create index "rateshare_key_tenant" to table: "rate_shares"
DROP INDEX `rateshare_key_tenant`;
-- reverse: create "rate_shares" table
DROP TABLE `rate_shares`;
-- reverse: create index "ratelimit_updated_at" to table: "rate_limits"
DROP INDEX `ratelimit_updated_at`;
-- reverse: create index "ratelimit_key" to table: "rate_limits"
DROP INDEX `ratelimit_key`;
-- reverse: create "rate_limits" table
DROP TABLE `rate_limits`;
-- reverse: create "providers" table
DROP TABLE `providers`;
-- reverse: create index "organization_provider_id_status_id" to table: "organizations"
DROP INDEX `organization_provider_id_status_id`;
-- reverse: create index "organization_provider_id_name" to table: "organizations"
DROP INDEX `organization_provider_id_name`;
-- reverse: create index "organization_provider_id_id" to table: "organizations"
DROP INDEX `organization_provider_id_id`;
-- reverse: create "organizations" table
DROP TABLE `organizations`;
-- reverse: create index "maintenancewindow_provider_id_ends_at_id" to table: "maintenance_windows"
DROP INDEX `maintenancewindow_provider_id_ends_at_id`;
-- reverse: create index "maintenancewindow_organization_id_ends_at" to table: "maintenance_windows"
DROP INDEX `maintenancewindow_organization_id_ends_at`;
-- reverse: create index "maintenancewindow_provider_id_id" to table: "maintenance_windows"
DROP INDEX `maintenancewindow_provider_id_id`;
-- reverse: create index "maintenancewindow_organization_id_id" to table: "maintenance_windows"
DROP INDEX `maintenancewindow_organization_id_id`;
-- reverse: create "maintenance_windows" table
DROP TABLE `maintenance_windows`;
-- reverse: create index "job_organization_id_created_at_id" to table: "jobs"
DROP INDEX `job_organization_id_created_at_id`;
-- reverse: create index "job_provider_id_created_at_id" to table: "jobs"
DROP INDEX `job_provider_id_created_at_id`;
-- reverse: create index "job_provider_id_id" to table: "jobs"
DROP INDEX `job_provider_id_id`;
-- reverse: create index "job_organization_id_id" to table: "jobs"
DROP INDEX `job_organization_id_id`;
-- reverse: create "jobs" table
DROP TABLE `jobs`;
-- reverse: create index "idempotencyrecord_expires_at" to table: "idempotency_records"
DROP INDEX `idempotencyrecord_expires_at`;
-- reverse: create index "idempotencyrecord_provider_id_principal_key" to table: "idempotency_records"
DROP INDEX `idempotencyrecord_provider_id_principal_key`;
-- reverse: create index "idempotencyrecord_provider_id_id" to table: "idempotency_records"
DROP INDEX `idempotencyrecord_provider_id_id`;
-- reverse: create "idempotency_records" table
DROP TABLE `idempotency_records`;
-- reverse: create index "enrollments_apple_mdm_id" to table: "enrollments"
DROP INDEX `enrollments_apple_mdm_id`;
-- reverse: create index "enrollment_organization_id_apple_mdm_id" to table: "enrollments"
DROP INDEX `enrollment_organization_id_apple_mdm_id`;
-- reverse: create index "enrollment_organization_id_token_hash" to table: "enrollments"
DROP INDEX `enrollment_organization_id_token_hash`;
-- reverse: create index "enrollment_provider_id_id" to table: "enrollments"
DROP INDEX `enrollment_provider_id_id`;
-- reverse: create index "enrollment_organization_id_id" to table: "enrollments"
DROP INDEX `enrollment_organization_id_id`;
-- reverse: create "enrollments" table
DROP TABLE `enrollments`;
-- reverse: create index "devicesecret_device_id_id" to table: "device_secrets"
DROP INDEX `devicesecret_device_id_id`;
-- reverse: create index "devicesecret_organization_id_device_id_kind" to table: "device_secrets"
DROP INDEX `devicesecret_organization_id_device_id_kind`;
-- reverse: create index "devicesecret_provider_id_id" to table: "device_secrets"
DROP INDEX `devicesecret_provider_id_id`;
-- reverse: create index "devicesecret_organization_id_id" to table: "device_secrets"
DROP INDEX `devicesecret_organization_id_id`;
-- reverse: create "device_secrets" table
DROP TABLE `device_secrets`;
-- reverse: create index "deviceprofile_organization_id_device_id" to table: "device_profiles"
DROP INDEX `deviceprofile_organization_id_device_id`;
-- reverse: create index "deviceprofile_device_id_id" to table: "device_profiles"
DROP INDEX `deviceprofile_device_id_id`;
-- reverse: create index "deviceprofile_provider_id_id" to table: "device_profiles"
DROP INDEX `deviceprofile_provider_id_id`;
-- reverse: create index "deviceprofile_organization_id_id" to table: "device_profiles"
DROP INDEX `deviceprofile_organization_id_id`;
-- reverse: create "device_profiles" table
DROP TABLE `device_profiles`;
-- reverse: create index "deviceosupdate_device_id_id" to table: "device_os_updates"
DROP INDEX `deviceosupdate_device_id_id`;
-- reverse: create index "deviceosupdate_organization_id_device_id_product_key" to table: "device_os_updates"
DROP INDEX `deviceosupdate_organization_id_device_id_product_key`;
-- reverse: create index "deviceosupdate_provider_id_id" to table: "device_os_updates"
DROP INDEX `deviceosupdate_provider_id_id`;
-- reverse: create index "deviceosupdate_organization_id_id" to table: "device_os_updates"
DROP INDEX `deviceosupdate_organization_id_id`;
-- reverse: create "device_os_updates" table
DROP TABLE `device_os_updates`;
-- reverse: create index "deviceidentity_user_id_id" to table: "device_identities"
DROP INDEX `deviceidentity_user_id_id`;
-- reverse: create index "deviceidentity_enrollment_id_id" to table: "device_identities"
DROP INDEX `deviceidentity_enrollment_id_id`;
-- reverse: create index "deviceidentity_device_id_id" to table: "device_identities"
DROP INDEX `deviceidentity_device_id_id`;
-- reverse: create index "deviceidentity_organization_id_fingerprint" to table: "device_identities"
DROP INDEX `deviceidentity_organization_id_fingerprint`;
-- reverse: create index "deviceidentity_provider_id_id" to table: "device_identities"
DROP INDEX `deviceidentity_provider_id_id`;
-- reverse: create index "deviceidentity_organization_id_id" to table: "device_identities"
DROP INDEX `deviceidentity_organization_id_id`;
-- reverse: create "device_identities" table
DROP TABLE `device_identities`;
-- reverse: create index "device_commands_channel_id" to table: "device_commands"
DROP INDEX `device_commands_channel_id`;
-- reverse: create index "device_command_ending" to table: "device_commands"
DROP INDEX `device_command_ending`;
-- reverse: create index "device_command_beginning" to table: "device_commands"
DROP INDEX `device_command_beginning`;
-- reverse: create index "device_command_told_together" to table: "device_commands"
DROP INDEX `device_command_told_together`;
-- reverse: create index "device_command_failed" to table: "device_commands"
DROP INDEX `device_command_failed`;
-- reverse: create index "device_command_ended" to table: "device_commands"
DROP INDEX `device_command_ended`;
-- reverse: create index "device_command_waiting" to table: "device_commands"
DROP INDEX `device_command_waiting`;
-- reverse: create index "devicecommand_provider_id_request_type_id" to table: "device_commands"
DROP INDEX `devicecommand_provider_id_request_type_id`;
-- reverse: create index "devicecommand_provider_id_status_id" to table: "device_commands"
DROP INDEX `devicecommand_provider_id_status_id`;
-- reverse: create index "devicecommand_device_id_id" to table: "device_commands"
DROP INDEX `devicecommand_device_id_id`;
-- reverse: create index "devicecommand_organization_id_command_uuid" to table: "device_commands"
DROP INDEX `devicecommand_organization_id_command_uuid`;
-- reverse: create index "devicecommand_provider_id_id" to table: "device_commands"
DROP INDEX `devicecommand_provider_id_id`;
-- reverse: create index "devicecommand_organization_id_id" to table: "device_commands"
DROP INDEX `devicecommand_organization_id_id`;
-- reverse: create "device_commands" table
DROP TABLE `device_commands`;
-- reverse: create index "device_channel_to_be_inventoried" to table: "device_channels"
DROP INDEX `device_channel_to_be_inventoried`;
-- reverse: create index "device_channel_arrived" to table: "device_channels"
DROP INDEX `device_channel_arrived`;
-- reverse: create index "device_channel_to_be_notified" to table: "device_channels"
DROP INDEX `device_channel_to_be_notified`;
-- reverse: create index "devicechannel_device_id_id" to table: "device_channels"
DROP INDEX `devicechannel_device_id_id`;
-- reverse: create index "devicechannel_organization_id_key" to table: "device_channels"
DROP INDEX `devicechannel_organization_id_key`;
-- reverse: create index "devicechannel_provider_id_id" to table: "device_channels"
DROP INDEX `devicechannel_provider_id_id`;
-- reverse: create index "devicechannel_organization_id_id" to table: "device_channels"
DROP INDEX `devicechannel_organization_id_id`;
-- reverse: create "device_channels" table
DROP TABLE `device_channels`;
-- reverse: create index "devicecertificate_organization_id_device_id" to table: "device_certificates"
DROP INDEX `devicecertificate_organization_id_device_id`;
-- reverse: create index "devicecertificate_device_id_id" to table: "device_certificates"
DROP INDEX `devicecertificate_device_id_id`;
-- reverse: create index "devicecertificate_provider_id_id" to table: "device_certificates"
DROP INDEX `devicecertificate_provider_id_id`;
-- reverse: create index "devicecertificate_organization_id_id" to table: "device_certificates"
DROP INDEX `devicecertificate_organization_id_id`;
-- reverse: create "device_certificates" table
DROP TABLE `device_certificates`;
-- reverse: create index "deviceapp_organization_id_identifier" to table: "device_apps"
DROP INDEX `deviceapp_organization_id_identifier`;
-- reverse: create index "deviceapp_organization_id_device_id" to table: "device_apps"
DROP INDEX `deviceapp_organization_id_device_id`;
-- reverse: create index "deviceapp_device_id_id" to table: "device_apps"
DROP INDEX `deviceapp_device_id_id`;
-- reverse: create index "deviceapp_provider_id_id" to table: "device_apps"
DROP INDEX `deviceapp_provider_id_id`;
-- reverse: create index "deviceapp_organization_id_id" to table: "device_apps"
DROP INDEX `deviceapp_organization_id_id`;
-- reverse: create "device_apps" table
DROP TABLE `device_apps`;
-- reverse: create index "device_provider_id_ethernet_mac_address" to table: "devices"
DROP INDEX `device_provider_id_ethernet_mac_address`;
-- reverse: create index "device_provider_id_wifi_mac_address" to table: "devices"
DROP INDEX `device_provider_id_wifi_mac_address`;
-- reverse: create index "device_provider_id_last_seen_on" to table: "devices"
DROP INDEX `device_provider_id_last_seen_on`;
-- reverse: create index "device_provider_id_created_at" to table: "devices"
DROP INDEX `device_provider_id_created_at`;
-- reverse: create index "device_provider_id_asset_tag" to table: "devices"
DROP INDEX `device_provider_id_asset_tag`;
-- reverse: create index "device_provider_id_model" to table: "devices"
DROP INDEX `device_provider_id_model`;
-- reverse: create index "device_provider_id_os_version" to table: "devices"
DROP INDEX `device_provider_id_os_version`;
-- reverse: create index "device_to_reenrol" to table: "devices"
DROP INDEX `device_to_reenrol`;
-- reverse: create index "device_missing" to table: "devices"
DROP INDEX `device_missing`;
-- reverse: create index "device_blocked" to table: "devices"
DROP INDEX `device_blocked`;
-- reverse: create index "device_dep_enrollment" to table: "devices"
DROP INDEX `device_dep_enrollment`;
-- reverse: create index "device_supervised" to table: "devices"
DROP INDEX `device_supervised`;
-- reverse: create index "device_provider_id_serial_number_id" to table: "devices"
DROP INDEX `device_provider_id_serial_number_id`;
-- reverse: create index "device_provider_id_name_id" to table: "devices"
DROP INDEX `device_provider_id_name_id`;
-- reverse: create index "device_provider_id_udid" to table: "devices"
DROP INDEX `device_provider_id_udid`;
-- reverse: create index "device_enrolled" to table: "devices"
DROP INDEX `device_enrolled`;
-- reverse: create index "device_provider_id_enrolled_name_id" to table: "devices"
DROP INDEX `device_provider_id_enrolled_name_id`;
-- reverse: create index "device_user_id_id" to table: "devices"
DROP INDEX `device_user_id_id`;
-- reverse: create index "device_organization_id_platform_name_id" to table: "devices"
DROP INDEX `device_organization_id_platform_name_id`;
-- reverse: create index "device_organization_id_name_id" to table: "devices"
DROP INDEX `device_organization_id_name_id`;
-- reverse: create index "device_organization_id_serial_number" to table: "devices"
DROP INDEX `device_organization_id_serial_number`;
-- reverse: create index "device_provider_id_id" to table: "devices"
DROP INDEX `device_provider_id_id`;
-- reverse: create index "device_organization_id_id" to table: "devices"
DROP INDEX `device_organization_id_id`;
-- reverse: create "devices" table
DROP TABLE `devices`;
-- reverse: create index "datakey_tenant" to table: "data_keys"
DROP INDEX `datakey_tenant`;
-- reverse: create "data_keys" table
DROP TABLE `data_keys`;
-- reverse: create index "applemdm_certificate_not_after" to table: "apple_mdms"
DROP INDEX `applemdm_certificate_not_after`;
-- reverse: create index "applemdm_provider_id_certificate_not_after_id" to table: "apple_mdms"
DROP INDEX `applemdm_provider_id_certificate_not_after_id`;
-- reverse: create index "applemdm_organization_id" to table: "apple_mdms"
DROP INDEX `applemdm_organization_id`;
-- reverse: create index "applemdm_provider_id_id" to table: "apple_mdms"
DROP INDEX `applemdm_provider_id_id`;
-- reverse: create index "applemdm_organization_id_id" to table: "apple_mdms"
DROP INDEX `applemdm_organization_id_id`;
-- reverse: create "apple_mdms" table
DROP TABLE `apple_mdms`;
-- reverse: create index "api_keys_administrator_id" to table: "api_keys"
DROP INDEX `api_keys_administrator_id`;
-- reverse: create index "apikey_provider_id_administrator_id" to table: "api_keys"
DROP INDEX `apikey_provider_id_administrator_id`;
-- reverse: create index "apikey_prefix" to table: "api_keys"
DROP INDEX `apikey_prefix`;
-- reverse: create index "apikey_provider_id_id" to table: "api_keys"
DROP INDEX `apikey_provider_id_id`;
-- reverse: create "api_keys" table
DROP TABLE `api_keys`;
-- reverse: create index "alertoccurrence_alert_id_id" to table: "alert_occurrences"
DROP INDEX `alertoccurrence_alert_id_id`;
-- reverse: create index "alertoccurrence_organization_id_alert_id_id" to table: "alert_occurrences"
DROP INDEX `alertoccurrence_organization_id_alert_id_id`;
-- reverse: create index "alertoccurrence_provider_id_id" to table: "alert_occurrences"
DROP INDEX `alertoccurrence_provider_id_id`;
-- reverse: create index "alertoccurrence_organization_id_id" to table: "alert_occurrences"
DROP INDEX `alertoccurrence_organization_id_id`;
-- reverse: create "alert_occurrences" table
DROP TABLE `alert_occurrences`;
-- reverse: create index "alerts_user_id" to table: "alerts"
DROP INDEX `alerts_user_id`;
-- reverse: create index "alert_organization_id_user_id" to table: "alerts"
DROP INDEX `alert_organization_id_user_id`;
-- reverse: create index "alert_provider_id_updated_at" to table: "alerts"
DROP INDEX `alert_provider_id_updated_at`;
-- reverse: create index "alert_device_id_last_occurred_at_id" to table: "alerts"
DROP INDEX `alert_device_id_last_occurred_at_id`;
-- reverse: create index "alert_organization_id_device_id" to table: "alerts"
DROP INDEX `alert_organization_id_device_id`;
-- reverse: create index "alert_organization_id_status_last_occurred_at_id" to table: "alerts"
DROP INDEX `alert_organization_id_status_last_occurred_at_id`;
-- reverse: create index "alert_provider_id_status_last_occurred_at_id" to table: "alerts"
DROP INDEX `alert_provider_id_status_last_occurred_at_id`;
-- reverse: create index "alert_open_of_organization" to table: "alerts"
DROP INDEX `alert_open_of_organization`;
-- reverse: create index "alert_open_of_provider" to table: "alerts"
DROP INDEX `alert_open_of_provider`;
-- reverse: create index "alert_organization_id_type_dedupe_key_incident" to table: "alerts"
DROP INDEX `alert_organization_id_type_dedupe_key_incident`;
-- reverse: create index "alert_one_open_per_condition" to table: "alerts"
DROP INDEX `alert_one_open_per_condition`;
-- reverse: create index "alert_provider_id_id" to table: "alerts"
DROP INDEX `alert_provider_id_id`;
-- reverse: create index "alert_organization_id_id" to table: "alerts"
DROP INDEX `alert_organization_id_id`;
-- reverse: create "alerts" table
DROP TABLE `alerts`;
-- reverse: create index "administrator_organization_links_role_id" to table: "administrator_organization_links"
DROP INDEX `administrator_organization_links_role_id`;
-- reverse: create index "administrator_organization_links_administrator_id" to table: "administrator_organization_links"
DROP INDEX `administrator_organization_links_administrator_id`;
-- reverse: create index "administratororganizationlink_provider_id_role_id" to table: "administrator_organization_links"
DROP INDEX `administratororganizationlink_provider_id_role_id`;
-- reverse: create index "administratororganizationlink_provider_id_administrator_id" to table: "administrator_organization_links"
DROP INDEX `administratororganizationlink_provider_id_administrator_id`;
-- reverse: create index "administratororganizationlink_organization_id_administrator_id" to table: "administrator_organization_links"
DROP INDEX `administratororganizationlink_organization_id_administrator_id`;
-- reverse: create index "administratororganizationlink_provider_id_id" to table: "administrator_organization_links"
DROP INDEX `administratororganizationlink_provider_id_id`;
-- reverse: create index "administratororganizationlink_organization_id_id" to table: "administrator_organization_links"
DROP INDEX `administratororganizationlink_organization_id_id`;
-- reverse: create "administrator_organization_links" table
DROP TABLE `administrator_organization_links`;
-- reverse: create index "administrators_role_id" to table: "administrators"
DROP INDEX `administrators_role_id`;
-- reverse: create index "administrator_activation_hash" to table: "administrators"
DROP INDEX `administrator_activation_hash`;
-- reverse: create index "administrator_provider_id_role_id" to table: "administrators"
DROP INDEX `administrator_provider_id_role_id`;
-- reverse: create index "administrator_provider_id_email" to table: "administrators"
DROP INDEX `administrator_provider_id_email`;
-- reverse: create index "administrator_email" to table: "administrators"
DROP INDEX `administrator_email`;
-- reverse: create index "administrator_provider_id_id" to table: "administrators"
DROP INDEX `administrator_provider_id_id`;
-- reverse: create "administrators" table
DROP TABLE `administrators`;
