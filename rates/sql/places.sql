-- name: write_regions
INSERT INTO rates_region (slug, name)
SELECT slug, name FROM unnest(%(slugs)s::text[], %(names)s::text[]) AS wanted (slug, name)
ON CONFLICT (slug) DO UPDATE SET name = excluded.name

-- name: move_regions
UPDATE rates_region region SET parent_id = parent.id
FROM unnest(%(slugs)s::text[], %(parents)s::text[]) AS wanted (slug, parent_slug)
LEFT JOIN rates_region parent ON parent.slug = wanted.parent_slug
WHERE region.slug = wanted.slug AND region.parent_id IS DISTINCT FROM parent.id

-- name: write_ports
INSERT INTO rates_port (code, name, region_id)
SELECT wanted.code, wanted.name, region.id
FROM unnest(%(codes)s::text[], %(names)s::text[], %(slugs)s::text[]) AS wanted (code, name, slug)
JOIN rates_region region ON region.slug = wanted.slug
ON CONFLICT (code) DO UPDATE SET name = excluded.name, region_id = excluded.region_id
